#pragma once

#include <string>

#include "agent/call/gateway.h"
#include "agent/call/served_session.h"
#include "agent/loop/task.h"
#include "agent/session/live_session.h"

namespace sallyport::agent {

// Ends a session now: no further call of it passes, its streams close, what is in flight gets its
// answer, its upstreams are closed, and then its END record is written, which tells the control
// plane. Returns at once. The first end stands.
void EndSession(Gateway& gateway, ServedSession& session, SessionEnd end);

// Ends a session that must not go on by now (LiveSession::Due). Whether it has ended, by this or
// before.
bool EndIfDue(Gateway& gateway, ServedSession& session);

// Ends one MCP session: its stream closes, its upstream is closed. Returns at once. `detail` is
// what its client is told from then on.
void EndConnection(Gateway& gateway, ServedSession& session, McpConnection& connection,
                   const std::string& detail);

// The last MCP session was deleted, or the last counted call has been answered: the session is
// completed.
void EndIfCompleted(Gateway& gateway, ServedSession& session);

// Every session's end record is written, or `timeout` has passed.
Task<void> EndAllSessions(Gateway& gateway, SessionEnd end, absl::Duration timeout);

}  // namespace sallyport::agent
