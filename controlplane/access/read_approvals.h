#pragma once

#include "absl/status/statusor.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/approval_service.pb.h"

namespace sallyport::controlplane {

// What a caller may see of approvals: all of them by role (admin, approver, auditor; the admin
// socket), otherwise those that name him.
class ReadApprovals {
 public:
  // Outlives it.
  explicit ReadApprovals(Database& control) : control_(control) {}

  absl::StatusOr<admin::v1::ListApprovalsResponse> Run(
      const Caller& caller, const admin::v1::ListApprovalsRequest& request);
  // kNotFound also for what the caller may not see.
  absl::StatusOr<admin::v1::GetApprovalResponse> Run(const Caller& caller,
                                                     const admin::v1::GetApprovalRequest& request);

  static bool MayRead(const Caller& caller, const types::v1::Approval& approval);

 private:
  Database& control_;
};

}  // namespace sallyport::controlplane
