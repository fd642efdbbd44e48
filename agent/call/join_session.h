#pragma once

#include <optional>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/call/see_tools.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The modern era's way to a granted call: its clients have no sessions of their own, so a call
// joins the live just-in-time session of its caller, or opens it, and shares that session's one
// connection to the server, which is made when it is first needed and again when it was lost. Where
// the server speaks the legacy era alone, the client is told so and comes back with initialize.
// nullopt: the call has been answered.
Task<std::optional<GrantedCall>> JoinSession(Gateway& gateway, AuthenticatedCall call,
                                             const ClientMessage& message);

// How long a look at a tool's definition is good for who relies on what it is at present.
inline constexpr absl::Duration kLookGoodFor = absl::Seconds(5);

// Asks the server for its tools and sees what it says of them, unless that was done on the
// connection no longer than `age` ago and it has not said since that they changed. Whoever comes
// meanwhile waits for that. What a look for another call has passed over is looked at again.
// recorder_unavailable: the look could not be recorded, so it is none and says nothing of the
// tools.
Task<absl::Status> LearnTools(Gateway& gateway, Held<ServedSession> session,
                              Held<McpConnection> connection, LookFor look_for,
                              absl::Duration age = absl::InfiniteDuration());

// Sees to it that the headers of a tool are known, by asking for the server's tools.
Task<void> LearnTool(Gateway& gateway, const GrantedCall& call, const std::string& tool);

}  // namespace sallyport::agent
