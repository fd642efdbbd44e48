#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/control/agent_snapshot.h"
#include "agent/mcp/message.h"

// Digests that are equal in all sessions and of all principals, in hex: HMAC-SHA256 under the
// server's effect key, so that only who fronts the server could find out by trying what one is of.
namespace sallyport::agent {

// Of anything that must not be told, such as the values that a `once` names. NO_SNAPSHOT: the
// control plane gave no key for the server.
absl::StatusOr<std::string> EffectDigest(const AgentSnapshot& snapshot, std::string_view server,
                                         std::string_view bytes);

// What tells an identical call: method, target, arguments and what else of params is decided on
// (OtherParams), in their canonical form.
absl::StatusOr<std::string> CallDigest(const AgentSnapshot& snapshot, std::string_view server,
                                       const ClientMessage& message);

}  // namespace sallyport::agent
