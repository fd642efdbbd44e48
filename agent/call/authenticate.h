#pragma once

#include <string_view>
#include <variant>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The token of an Authorization header. Empty: there is none.
std::string_view BearerToken(const IncomingCall& call);

// Who calls. A token that the connection said in its last request too costs nothing, one that was
// seen a moment ago a digest. One whose key is not known has its
// issuer's keys fetched again, once. The status is TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED,
// ISSUER_UNAVAILABLE or NO_SNAPSHOT; what was wrong in detail goes to the log and the agent's own
// recording.
Task<std::variant<AuthenticatedCall, absl::Status>> Authenticate(Gateway& gateway,
                                                                 IncomingCall call);

}  // namespace sallyport::agent
