#pragma once

#include <string>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// A POST of several messages, in an MCP session whose revision has batches: each goes its own way,
// judged, approved, masked and recorded by itself, all at once. The answer is an event for each
// message that comes of them, in the order in which they come; where no request is among them, an
// acceptance. One that could not be forwarded as a whole is refused as a whole.
Task<void> HandleBatch(Gateway& gateway, AuthenticatedCall call, std::string body);

}  // namespace sallyport::agent
