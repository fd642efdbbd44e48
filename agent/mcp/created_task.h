#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// The taskId of the task that the server made of a request that asked for one (2025-11-25). Empty:
// it answered the request at once instead, or with an error. upstream_invalid when the id is none
// that could be told from others.
absl::StatusOr<std::string> CreatedTask(const UpstreamMessage& response);

}  // namespace sallyport::agent
