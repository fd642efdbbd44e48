#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/control/agent_snapshot.h"
#include "agent/mcp/message.h"
#include "common/policy/decision.h"
#include "common/status_macros.h"

// Digests that are equal in all sessions and of all principals, in hex: HMAC-SHA256 under the
// server's effect key, so that only who fronts the server could find out by trying what one is of.
namespace sallyport::agent {

// Of anything that must not be told, such as the values that a `once` names. NO_SNAPSHOT: the
// control plane gave no key for the server.
absl::StatusOr<std::string> EffectDigest(const AgentSnapshot& snapshot, std::string_view server,
                                         std::string_view bytes);

// What tells an identical call: method, target, arguments and what else of params is decided on
// (OtherParams), in their canonical form and with numbers as doubles.
absl::StatusOr<std::string> CallDigest(const AgentSnapshot& snapshot, std::string_view server,
                                       const ClientMessage& message);

// What the decision says that the call does once, and the objects it touches, into the request of
// the control plane that has a place for them.
template <class Request>
absl::Status NameEffects(const AgentSnapshot& snapshot, std::string_view server,
                         const CallDecision& decision, Request& request) {
  for (const OnceDemand& once : decision.once) {
    auto& effect = *request.add_once();
    effect.set_policy(once.policy);
    effect.mutable_rules()->Add(once.rules.begin(), once.rules.end());
    effect.mutable_by()->Add(once.by.begin(), once.by.end());
    ASSIGN_OR_RETURN(*effect.mutable_digest(), EffectDigest(snapshot, server, once.key));
  }
  for (const LimitDemand& limit : decision.limits) {
    auto& touched = *request.add_touched();
    touched.set_policy(limit.policy);
    touched.mutable_rules()->Add(limit.rules.begin(), limit.rules.end());
    touched.set_count(limit.count);
    touched.set_objects(limit.objects);
  }
  return absl::OkStatus();
}

}  // namespace sallyport::agent
