#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/tool_service.pb.h"

namespace sallyport::controlplane {

// Takes in what agents see servers say of their tools, and which they list no more.
class PinTools {
 public:
  // Both outlive it.
  PinTools(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  // An enrolled agent, for a server it fronts. All of a request in one transaction, with a line for
  // each tool that is new or has changed; nothing is written where nothing is new. A tool that
  // cannot be pinned, for its name or because the server has too many, is missing from the answer
  // and keeps no other from being pinned.
  absl::StatusOr<agent::v1::ReportToolsResponse> Run(const Caller& caller,
                                                     const agent::v1::ReportToolsRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
