#include "controlplane/access/confirmed_ends.h"

#include <optional>

#include "common/status_macros.h"
#include "controlplane/access/away_agents.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

void ConfirmedEnds::Note(std::string_view agent, std::string_view session_id) {
  const absl::MutexLock lock(&mutex_);
  const Confirmed confirmed(agent, session_id);
  if (!confirmed_.insert(confirmed).second) return;
  latest_.push_back(confirmed);
  if (latest_.size() <= kRemembered) return;
  confirmed_.erase(latest_.front());
  latest_.pop_front();
}

bool ConfirmedEnds::Has(const Session& session) const {
  return confirmed_.contains({session.proto().agent(), session.id()});
}

std::vector<Session> ConfirmedEnds::Await(std::span<const Session> ended) const {
  std::vector<const Session*> waits_for;
  for (const Session& session : ended) {
    const std::string& agent = session.proto().agent();
    if (!agent.empty() && !session.is_reported() && is_connected_(agent))
      waits_for.push_back(&session);
  }
  const absl::MutexLock lock(&mutex_);
  const auto are_confirmed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!waits_for.empty() && Has(*waits_for.back())) waits_for.pop_back();
    return waits_for.empty();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&are_confirmed), patience_);
  std::vector<Session> unconfirmed;
  for (const Session& session : ended) {
    if (!Has(session)) unconfirmed.push_back(session);
  }
  return unconfirmed;
}

absl::StatusOr<std::vector<admin::v1::AwayAgent>> ConfirmedEnds::AwaitUnconfirmed(
    std::span<const Session> ended) const {
  std::vector<Session> unconfirmed = Await(ended);
  if (unconfirmed.empty()) return std::vector<admin::v1::AwayAgent>();
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  // The agent may have closed the recording meanwhile, which says as much.
  for (Session& session : unconfirmed) {
    ASSIGN_OR_RETURN(std::optional<Session> now, sessions::Find(*t, session.id()));
    if (now.has_value()) session = *std::move(now);
  }
  const auto has_heard = [](std::string_view) { return false; };
  ASSIGN_OR_RETURN(auto away, AwayAgents(*t, unconfirmed, has_heard, clock_.Now()));
  for (admin::v1::AwayAgent& agent : away) agent.set_connected(is_connected_(agent.name()));
  return away;
}

}  // namespace sallyport::controlplane
