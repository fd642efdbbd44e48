#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/access/approval_notices.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

namespace sallyport::controlplane {

// Approvals of single calls, for the agent that serves the session. Another agent's session does
// not exist for it (kNotFound).
class CallApprovals {
 public:
  // All of them outlive it.
  struct Needs {
    Database& control;
    const Clock& clock;
    CurrentPolicies& policies;
    const ApprovalNotices& notices;
    IsConnected is_connected;
  };
  explicit CallApprovals(Needs needs) : needs_(std::move(needs)) {}

  // Attaches to the open approval of the same session, method, target and arguments, or asks for
  // one; approvers and deadline come from the policies in force: where arguments were cut, the
  // strictest of all rules that could ask for one. An open one that would be asked
  // for otherwise by now is withdrawn for a new one.
  absl::StatusOr<agent::v1::RequestCallApprovalResponse> Run(
      const Caller& caller, const agent::v1::RequestCallApprovalRequest& request);
  // Nothing where it has been decided against, used, or withdrawn already.
  absl::StatusOr<agent::v1::WithdrawCallApprovalResponse> Run(
      const Caller& caller, const agent::v1::WithdrawCallApprovalRequest& request);
  // In any state.
  absl::StatusOr<agent::v1::GetCallApprovalResponse> Run(
      const Caller& caller, const agent::v1::GetCallApprovalRequest& request);

 private:
  Needs needs_;
};

}  // namespace sallyport::controlplane
