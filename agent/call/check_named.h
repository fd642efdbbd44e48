#pragma once

#include <optional>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/call/open_session.h"

namespace sallyport::agent {

// Why a caller may not use a live session of its principal at all: no policy that named the one it
// was opened for names this token. The reasons are those of an opening with this token, and
// POLICY_DENIED where that would be a session of its own. Nothing: it may.
std::optional<OpenRefusal> CheckNamed(Gateway& gateway, ServedSession& session,
                                      const AuthenticatedCall& call);

}  // namespace sallyport::agent
