#pragma once

#include <string_view>

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

  // What is long is cut, and a page ends early where an answer would be longer than clients take.
  absl::StatusOr<admin::v1::ListApprovalsResponse> Run(
      const Caller& caller, const admin::v1::ListApprovalsRequest& request);
  // All of one. kNotFound also for what the caller may not see.
  absl::StatusOr<admin::v1::GetApprovalResponse> Run(const Caller& caller,
                                                     const admin::v1::GetApprovalRequest& request);

  // One as lists have it. kNotFound as above.
  absl::StatusOr<types::v1::Approval> Short(const Caller& caller, std::string_view id);

  static bool MayRead(const Caller& caller, const types::v1::Approval& approval);

 private:
  Database& control_;
};

}  // namespace sallyport::controlplane
