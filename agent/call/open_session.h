#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "agent/call/call.h"

namespace sallyport::agent {

struct Gateway;

// Why there is no session, and what the caller may be told of it.
struct OpenRefusal {
  absl::Status why;
  RefusalDetails details;
  std::vector<std::string> required_scopes;
};

// The session here of this caller, server and address; null: there is none. One that must not go on
// by now ends.
ServedSession* FindLive(Gateway& gateway, const AuthenticatedCall& call);

// The live session of this caller, server and address, or one that the control plane opens now.
// Waits a few seconds for it; what is pending then is SESSION_PENDING, and the next attempt
// attaches to it. Attempts that follow each other closely, as of a client that tries one era of the
// protocol and then the other, wait no longer than one would.
Task<std::variant<Held<ServedSession>, OpenRefusal>> OpenSession(Gateway& gateway,
                                                                 const AuthenticatedCall& call,
                                                                 std::string token);

// Answers a message that has come before there is a session for it, or an MCP session in it: in our
// own words, and recorded, in the session's chain where there is one.
Task<void> AnswerOpenRefusal(Gateway& gateway, const AuthenticatedCall& call,
                             const ClientMessage& message, ServedSession* session,
                             const OpenRefusal& refusal);

}  // namespace sallyport::agent
