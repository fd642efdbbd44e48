#include "controlplane/access/ban_agent.h"

#include <optional>
#include <string>
#include <vector>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/access/away_agents.h"
#include "controlplane/access/read_agents.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxReasonBytes = 1000;

absl::Status Ban(WriteTransaction& t, Agent& agent, const Caller& caller, const std::string& reason,
                 const IsConnected& is_connected, absl::Time now,
                 admin::v1::BanAgentResponse& response) {
  agent.banned_at = now;
  agent.ban_reason = reason;
  RETURN_IF_ERROR(
      audit_log::Append(t, audit_log::LineOf(caller, now, "agent.ban", agent.name, reason)));
  RETURN_IF_ERROR(agents::DropJoinTokens(t, agent.name));
  ASSIGN_OR_RETURN(std::vector<Session> live, sessions::LiveOfAgent(t, agent.name));
  for (Session& session : live) {
    RETURN_IF_ERROR(sessions::EndLive(
        t, session, sessions::Revoked("agent " + agent.name + " was banned"), caller, now));
    response.add_sessions(session.id());
  }
  ASSIGN_OR_RETURN(const auto away, AwayAgents(t, live, is_connected, now));
  for (const admin::v1::AwayAgent& itself : away) *response.mutable_away_agent() = itself;
  // After the sessions: whoever follows the changes tells their ends first.
  RETURN_IF_ERROR(agents::Put(t, agent));
  return t.Commit();
}

}  // namespace

absl::StatusOr<admin::v1::BanAgentResponse> BanAgent::Run(
    const Caller& caller, const admin::v1::BanAgentRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "agents are banned by admins");
  if (request.reason().size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  admin::v1::BanAgentResponse response;
  RETURN_IF_ERROR(control_.Write(WriteFor::kRevocation, [&](WriteTransaction& t) -> absl::Status {
    response.Clear();
    RETURN_IF_ERROR(locks::RefuseShutOut(
        t, audit_log::LineOf(caller, now, "agent.ban", request.name(), request.reason()), caller,
        now));
    ASSIGN_OR_RETURN(std::optional<Agent> agent, agents::Find(t, request.name()));
    if (!agent.has_value()) return absl::NotFoundError("there is no agent " + request.name());
    if (!agent->is_banned()) {
      RETURN_IF_ERROR(Ban(t, *agent, caller, request.reason(), is_connected_, now, response));
    }
    *response.mutable_agent() = ShownAgent(*agent);
    return absl::OkStatus();
  }));
  return response;
}

}  // namespace sallyport::controlplane
