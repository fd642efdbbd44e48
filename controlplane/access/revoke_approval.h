#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/approval_service.pb.h"

namespace sallyport::controlplane {

// Takes a granted approval of a call back before it is used: whoever might have decided on it may,
// and admins. The session's agent is told at once.
class RevokeApproval {
 public:
  // Both outlive it.
  RevokeApproval(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  // APPROVER_NOT_ELIGIBLE; kFailedPrecondition, with what became of it, where it is not granted and
  // unused: one that is pending is denied, one that has opened a session is ended with it.
  absl::StatusOr<admin::v1::RevokeApprovalResponse> Run(
      const Caller& caller, const admin::v1::RevokeApprovalRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
