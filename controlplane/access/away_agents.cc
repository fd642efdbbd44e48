#include "controlplane/access/away_agents.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"

namespace sallyport::controlplane {
namespace {

// An agent that hears nothing from now on ends it then.
absl::Time ServedUntil(const Session& session, absl::Time now) {
  const types::v1::EffectiveTerms& terms = session.proto().terms();
  if (!terms.has_lease()) return session.expires_at();
  return std::min(session.expires_at(), now + FromProto(terms.lease()));
}

}  // namespace

absl::StatusOr<std::vector<admin::v1::AwayAgent>> AwayAgents(Transaction& t,
                                                             std::span<const Session> ended,
                                                             const IsConnected& is_connected,
                                                             absl::Time now) {
  std::map<std::string, absl::Time> served_until;
  for (const Session& session : ended) {
    const std::string& agent = session.proto().agent();
    const absl::Time until = ServedUntil(session, now);
    if (agent.empty() || session.is_reported() || until <= now || is_connected(agent)) continue;
    absl::Time& latest = served_until.try_emplace(agent, until).first->second;
    latest = std::max(latest, until);
  }
  std::vector<admin::v1::AwayAgent> away;
  for (const auto& [name, until] : served_until) {
    admin::v1::AwayAgent& item = away.emplace_back();
    item.set_name(name);
    *item.mutable_serves_until() = ToProto(until);
    ASSIGN_OR_RETURN(const std::optional<Agent> agent, agents::Find(t, name));
    if (agent && agent->last_seen_at != absl::InfinitePast())
      *item.mutable_last_seen_at() = ToProto(agent->last_seen_at);
  }
  return away;
}

}  // namespace sallyport::controlplane
