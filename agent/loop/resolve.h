#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/loop/endpoint.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Endpoint::Lookup on a thread of its own; numbers, at once.
Task<absl::StatusOr<std::vector<Endpoint>>> Resolve(Loop& loop, std::string host, std::string port);

}  // namespace sallyport::agent
