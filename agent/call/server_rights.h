#pragma once

#include <cstdint>
#include <optional>

#include "agent/call/gateway.h"
#include "agent/call/served_session.h"
#include "agent/mcp/message.h"
#include "agent/mcp/methods.h"
#include "common/policy/decision.h"

namespace sallyport::agent {

enum class ServerRight : std::uint8_t {
  kNone,
  // The client can be asked for this, but has not declared that it can be in this way: by a URL,
  // with tools.
  kUnfit,
  kHas,
};

// Whether a message of the server's may reach the client under the policy that is in force now: a
// request must be one that the client has declared and policy allows, and what a message tells of
// the client must have asked for and may still know. Nothing may where no policy names the client
// any more.
ServerRight RightNow(Gateway& gateway, ServedSession& session, McpConnection& connection,
                     const ServerMethod& method, const UpstreamMessage& message);

// What policies on trial, and they alone, let the server ask its client. nullopt: nothing, or no
// policy lets it.
std::optional<Observed> ObservedOf(Gateway& gateway, ServedSession& session,
                                   const UpstreamMessage& request);

// Whether it is a notification that MCP does not know, and policy allows it by its name now.
bool IsAllowedByName(Gateway& gateway, ServedSession& session, const UpstreamMessage& message);

}  // namespace sallyport::agent
