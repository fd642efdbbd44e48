#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/agent.h"
#include "controlplane/store/database.h"

// Agents and the join tokens that make them, in control.db.
namespace sallyport::controlplane::agents {

// nullopt: no such agent has enrolled.
absl::StatusOr<std::optional<Agent>> Find(Transaction& t, std::string_view name);

// The agent, for what only an agent in good standing may do. ROLE_MISSING where none of this name
// has enrolled, LOCKED where it is banned.
absl::StatusOr<Agent> FindInService(Transaction& t, std::string_view name);

// By name, those after `after_name`, at most `limit`.
absl::StatusOr<std::vector<Agent>> List(Transaction& t, std::string_view after_name, int limit);

// The names of the agents in service that front `server`.
absl::StatusOr<std::vector<std::string>> Fronting(Transaction& t, std::string_view server);

// Creates or replaces.
absl::Status Put(WriteTransaction& t, const Agent& agent);

// The agent's link was there at `now`. Nothing where there is no such agent.
absl::Status NoteSeen(WriteTransaction& t, std::string_view name, absl::Time now);

// Only the hash of a join secret is stored.
absl::Status AddJoinToken(WriteTransaction& t, std::string_view secret, const JoinToken& token);

// No join token that was made for this agent before lets it in any more.
absl::Status DropJoinTokens(WriteTransaction& t, std::string_view name);

// Uses the secret up, by compare-and-set: of all who come with it, one gets the token. nullopt:
// unknown, used or expired.
absl::StatusOr<std::optional<JoinToken>> ConsumeJoinToken(WriteTransaction& t,
                                                          std::string_view secret, absl::Time now);

}  // namespace sallyport::controlplane::agents
