#pragma once

#include <memory>
#include <variant>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/call/open_session.h"

namespace sallyport::agent {

// The rules for a caller in a live session of its principal, kept with the session, by which the
// server's own messages are judged, masked and recorded, too. Or why it may not use the session at
// all: no policy that named the one it was opened for names this token, which changes nothing of
// the session then. The reasons are those of an opening with this token, and POLICY_DENIED where
// that would be a session of its own.
std::variant<std::shared_ptr<const SessionRules>, OpenRefusal> CheckNamed(
    Gateway& gateway, ServedSession& session, const AuthenticatedCall& call, Era era);

}  // namespace sallyport::agent
