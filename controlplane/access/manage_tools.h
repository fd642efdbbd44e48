#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/tool_service.pb.h"

namespace sallyport::controlplane {

// The tools of servers, for people. Whoever may call has been let in by the authorization table.
class ManageTools {
 public:
  // Both outlive it.
  ManageTools(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  absl::StatusOr<admin::v1::ListToolsResponse> Run(const Caller& caller,
                                                   const admin::v1::ListToolsRequest& request);
  // kNotFound where nobody has seen such a tool.
  absl::StatusOr<admin::v1::GetToolResponse> Run(const Caller& caller,
                                                 const admin::v1::GetToolRequest& request);
  // kNotFound as above; kFailedPrecondition (DEFINITION_CHANGED) where its server says something
  // else by now.
  absl::StatusOr<admin::v1::AcceptToolResponse> Run(const Caller& caller,
                                                    const admin::v1::AcceptToolRequest& request);
  // All of them or none, a line for each. kNotFound and kFailedPrecondition as above, for one that
  // waits to be accepted.
  absl::StatusOr<admin::v1::ForgetToolsResponse> Run(const Caller& caller,
                                                     const admin::v1::ForgetToolsRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
