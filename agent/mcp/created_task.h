#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// The taskId of the task that the server made of a request that asked for one (2025-11-25). Empty:
// it answered the request at once instead, or with an error. upstream_invalid when the id is none
// that could be told from others.
absl::StatusOr<std::string> CreatedTask(const UpstreamMessage& response);

// Whether the message, a server's answer to tasks/get or its news of a task, of either era, says
// that the task works no longer.
bool IsTaskOver(const UpstreamMessage& message);

}  // namespace sallyport::agent
