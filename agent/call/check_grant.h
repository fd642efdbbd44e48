#pragma once

#include <variant>

#include "agent/call/call.h"
#include "agent/call/gateway.h"

namespace sallyport::agent {

// To which live session and MCP session of this caller the request belongs. No session id: 400. One
// that is unknown, ended, of another principal, of another server or bound to another address: 404,
// with the reason where it is the caller's own. A version header that does not fit the session:
// 400. A session that has just run out is ended here.
std::variant<GrantedCall, OwnAnswer> CheckGrant(Gateway& gateway, AuthenticatedCall call);

// The session goes on under the caller's token where that is newer, and the control plane hears so.
void TakeToken(Gateway& gateway, ServedSession& session, const AuthenticatedCall& call);

}  // namespace sallyport::agent
