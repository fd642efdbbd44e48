#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/link/channel.h"
#include "agent/loop/task.h"
#include "sallyport/agent/v1/tool_service.pb.h"

namespace sallyport::agent {

// Tells the control plane what servers say of their tools. On the loop's thread. What it refuses is
// a Status with its denial reason; one that cannot be reached is CONTROL_PLANE_UNAVAILABLE.
class ToolClient {
 public:
  // `channel` outlives the client.
  explicit ToolClient(ControlPlaneChannel& channel) : channel_(channel) {}

  // What the tools are pinned to from now on.
  Task<absl::StatusOr<v1::ReportToolsResponse>> Report(v1::ReportToolsRequest request,
                                                       absl::Duration timeout = absl::Seconds(10));

 private:
  ControlPlaneChannel& channel_;
};

}  // namespace sallyport::agent
