#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/approval.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/approval_service.pb.h"

namespace sallyport::controlplane {

// A person's decision on an approval. Who decides is the caller's own token: a person of kind user
// on the management API, whom the approval names, who is not its requester under whichever issuer
// entry, and not an owner of the requesting service.
class DecideApproval {
 public:
  // All of them outlive it.
  DecideApproval(Database& control, const Clock& clock, CurrentPolicies& policies)
      : control_(control), clock_(clock), policies_(policies) {}

  // One person's yes; the last that it takes approves it. The approval of a session activates it,
  // on the terms that the policies in force give it, and its time counts from now.
  // kPermissionDenied (APPROVER_NOT_ELIGIBLE); kFailedPrecondition where it is no longer pending,
  // with what became of it as the reason. Each refusal is audited. Each yes is judged again by the
  // policies in force: where they do not open the session any more, or not on this approval, it is
  // denied and the approval withdrawn, and so is that of a call which they deny or ask others
  // about: then with their reason. Where they ask more of the same people about a call, it stays
  // pending until these have said yes.
  absl::StatusOr<admin::v1::ApproveApprovalResponse> Run(
      const Caller& caller, const admin::v1::ApproveApprovalRequest& request);
  // Likewise; `reason` is required.
  absl::StatusOr<admin::v1::DenyApprovalResponse> Run(
      const Caller& caller, const admin::v1::DenyApprovalRequest& request);

 private:
  absl::StatusOr<types::v1::Approval> Decide(const Caller& caller, const std::string& id,
                                             bool approve, const std::string& reason);
  absl::Status DecideIn(WriteTransaction& t, const Caller& caller, const std::string& id,
                        bool approve, const std::string& reason, types::v1::Approval& decided);

  // A yes about a call. `refused`: why the policies in force let it through on no such approval.
  absl::Status ApproveCall(WriteTransaction& t, Approval& approval, const Caller& caller,
                           const std::string& reason, absl::Time now, absl::Status& refused);

  // A yes about a session, which the last one opens. `refused`: why the policies in force do not
  // open it any more: it is denied.
  absl::Status ApproveSession(WriteTransaction& t, Approval& approval, const Caller& caller,
                              const std::string& reason, absl::Time now, absl::Status& refused);

  Database& control_;
  const Clock& clock_;
  CurrentPolicies& policies_;
};

}  // namespace sallyport::controlplane
