#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/approval_service.pb.h"

namespace sallyport::controlplane {

// A person's decision on an approval. Who decides is the caller's own token: a person of kind user
// on the management API, whom the approval names, who is not its requester under whichever issuer
// entry, and not an owner of the requesting service.
class DecideApproval {
 public:
  // Both outlive it.
  DecideApproval(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  // One person's yes; the last that it takes approves it. The approval of a session activates it,
  // and its time counts from now. kPermissionDenied
  // (APPROVER_NOT_ELIGIBLE); kFailedPrecondition where it is no longer pending, with what became of
  // it as the reason.
  absl::StatusOr<admin::v1::ApproveApprovalResponse> Run(
      const Caller& caller, const admin::v1::ApproveApprovalRequest& request);
  // Likewise; `reason` is required.
  absl::StatusOr<admin::v1::DenyApprovalResponse> Run(
      const Caller& caller, const admin::v1::DenyApprovalRequest& request);

 private:
  absl::StatusOr<types::v1::Approval> Decide(const Caller& caller, const std::string& id,
                                             bool approve, const std::string& reason);

  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
