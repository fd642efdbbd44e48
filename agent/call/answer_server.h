#pragma once

#include "agent/call/gateway.h"
#include "agent/call/served_session.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/session/held.h"

namespace sallyport::agent {

// Our answer to a server's request that no client will answer. It is recorded first, as one of few:
// a server that asks on and on gets its answers, and the next record says how many had none.
Task<void> AnswerServer(Gateway& gateway, Held<ServedSession> session,
                        Held<McpConnection> connection, ClientMessage answer);

}  // namespace sallyport::agent
