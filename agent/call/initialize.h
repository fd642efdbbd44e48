#pragma once

#include <memory>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// A client's initialize: opens the session where there is none, starts the server, and makes the
// MCP session when the server has answered. What takes longer than a client's patience is refused
// with SESSION_PENDING or SERVER_STARTING and goes on; the next attempt attaches to it.
Task<void> Initialize(Gateway& gateway, AuthenticatedCall call,
                      std::shared_ptr<const ClientMessage> message);

}  // namespace sallyport::agent
