#include "controlplane/access/read_agents.h"

#include <vector>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/access/page.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/records.h"

namespace sallyport::controlplane {

admin::v1::Agent ShownAgent(const Agent& agent) {
  admin::v1::Agent shown;
  shown.set_name(agent.name);
  for (const std::string& server : agent.servers) shown.add_servers(server);
  *shown.mutable_enrolled_at() = ToProto(agent.enrolled_at);
  *shown.mutable_certificate_expires_at() = ToProto(agent.certificate_expires_at);
  if (agent.last_seen_at != absl::InfinitePast())
    *shown.mutable_last_seen_at() = ToProto(agent.last_seen_at);
  if (agent.is_banned()) {
    *shown.mutable_banned_at() = ToProto(agent.banned_at);
    shown.set_ban_reason(agent.ban_reason);
  }
  return shown;
}

namespace {

absl::Status RequireReader(const Caller& caller) {
  const PersonCaller* person = caller.person();
  if (caller.is_admin() || (person != nullptr && person->may_manage && person->is_auditor))
    return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "agents are for admins and auditors");
}

}  // namespace

absl::StatusOr<admin::v1::ListAgentsResponse> ReadAgents::Run(
    const Caller& caller, const admin::v1::ListAgentsRequest& request) {
  RETURN_IF_ERROR(RequireReader(caller));
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::vector<Agent> found, agents::List(*t, request.page_token(), limit + 1));
  admin::v1::ListAgentsResponse response;
  if (found.size() > static_cast<size_t>(limit)) {
    found.pop_back();
    response.set_next_page_token(found.back().name);
  }
  for (const Agent& agent : found) {
    admin::v1::Agent& item = *response.add_items();
    item = ShownAgent(agent);
    item.set_connected(streams_.is_connected(agent.name));
    item.set_not_understood(streams_.not_understood(agent.name));
    const absl::Time copy_seen_at = streams_.copy_seen_at(agent.name);
    if (copy_seen_at != absl::InfinitePast()) *item.mutable_copy_seen_at() = ToProto(copy_seen_at);
  }
  return response;
}

absl::StatusOr<admin::v1::ListAgentRecordingsResponse> ReadAgents::Run(
    const Caller& caller, const admin::v1::ListAgentRecordingsRequest& request) {
  RETURN_IF_ERROR(RequireReader(caller));
  if (request.name().empty()) return absl::InvalidArgumentError("name is missing");
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(const PageStart start, ReadPageToken(request.page_token()));
  ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
  ASSIGN_OR_RETURN(auto found, records::ChainsOfAgent(*recorded, request.name(), start.before,
                                                      start.before_id, limit + 1));
  if (found.empty()) {
    ASSIGN_OR_RETURN(const auto t, control_.Read());
    ASSIGN_OR_RETURN(const auto agent, agents::Find(*t, request.name()));
    if (!agent.has_value()) return absl::NotFoundError("there is no agent " + request.name());
  }
  const bool is_more = found.size() > static_cast<size_t>(limit);
  if (is_more) found.pop_back();
  admin::v1::ListAgentRecordingsResponse response;
  for (const records::AgentChain& chain : found) {
    admin::v1::AgentRecording& item = *response.add_items();
    item.set_id(chain.id);
    *item.mutable_began_at() = ToProto(chain.began_at);
    *item.mutable_last_received_at() = ToProto(chain.last_received_at);
    item.set_records(chain.records);
  }
  if (is_more) {
    const admin::v1::AgentRecording& last = *response.items().rbegin();
    response.set_next_page_token(MakePageToken(last.began_at(), last.id()));
  }
  return response;
}

}  // namespace sallyport::controlplane
