#include "controlplane/access/agent_updates.h"

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

// A session past its end that the sweep has not met yet goes without a grant: the agent counts its
// own time anyway.
// The agent goes on counting from the calls in it.
absl::StatusOr<agent::v1::AgentUpdate> UpdateOf(Transaction& recorded, const SessionGrants& grants,
                                                const Session& session) {
  agent::v1::AgentUpdate update;
  ASSIGN_OR_RETURN(*update.mutable_session()->mutable_session(),
                   records::WithCalls(recorded, session));
  if (session.state() != types::v1::SESSION_STATE_ACTIVE) return update;
  absl::StatusOr<types::v1::Grant> grant = grants.For(session);
  if (grant.ok()) {
    *update.mutable_session()->mutable_grant() = *std::move(grant);
  } else if (ReasonOf(grant.status()) != types::v1::DENIAL_REASON_SESSION_ENDED) {
    return grant.status();
  }
  return update;
}

}  // namespace

absl::StatusOr<std::vector<agent::v1::AgentUpdate>> AgentUpdates::Ended(std::string_view agent,
                                                                        absl::Time now) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::vector<Session> ended, sessions::EndedUnheard(*t, agent, now));
  std::vector<agent::v1::AgentUpdate> updates;
  for (const Session& session : ended)
    *updates.emplace_back().mutable_session()->mutable_session() = session.proto();
  return updates;
}

absl::StatusOr<std::vector<agent::v1::AgentUpdate>> AgentUpdates::All(std::string_view agent) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::vector<Session> sessions, sessions::LiveOfAgent(*t, agent));
  ASSIGN_OR_RETURN(const std::vector<Approval> approvals, approvals::OpenCallsOfAgent(*t, agent));
  ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
  std::vector<agent::v1::AgentUpdate> updates;
  for (const Session& session : sessions) {
    ASSIGN_OR_RETURN(agent::v1::AgentUpdate update, UpdateOf(*recorded, grants_, session));
    updates.push_back(std::move(update));
  }
  for (const Approval& approval : approvals)
    *updates.emplace_back().mutable_approval() = approval.proto();
  return updates;
}

absl::StatusOr<std::optional<agent::v1::AgentUpdate>> AgentUpdates::Of(std::string_view agent,
                                                                       const Change& change) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  if (change.kind == ChangeKind::kSession) {
    ASSIGN_OR_RETURN(const std::optional<Session> session, sessions::Find(*t, change.id));
    if (!session.has_value() || std::string_view(session->proto().agent()) != agent)
      return std::nullopt;
    ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
    ASSIGN_OR_RETURN(agent::v1::AgentUpdate update, UpdateOf(*recorded, grants_, *session));
    return update;
  }
  if (change.kind == ChangeKind::kApproval) {
    ASSIGN_OR_RETURN(const std::optional<Approval> approval, approvals::Find(*t, change.id));
    if (!approval.has_value() || !approval->is_for_call() ||
        std::string_view(approval->stored().agent) != agent) {
      return std::nullopt;
    }
    agent::v1::AgentUpdate update;
    *update.mutable_approval() = approval->proto();
    return update;
  }
  return std::nullopt;
}

}  // namespace sallyport::controlplane
