#include "controlplane/rpc/agent_service.h"

namespace sallyport::controlplane {

grpc::Status AgentRpc::ListAgents(grpc::ServerContext* context,
                                  const admin::v1::ListAgentsRequest* request,
                                  admin::v1::ListAgentsResponse* response) {
  return door_.Answer<admin::v1::ListAgentsRequest, admin::v1::ListAgentsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.read.Run(caller, r); });
}

grpc::Status AgentRpc::ListAgentRecordings(grpc::ServerContext* context,
                                           const admin::v1::ListAgentRecordingsRequest* request,
                                           admin::v1::ListAgentRecordingsResponse* response) {
  return door_
      .Answer<admin::v1::ListAgentRecordingsRequest, admin::v1::ListAgentRecordingsResponse>(
          *context, *request, response,
          [&](const Caller& caller, const auto& r) { return needs_.read.Run(caller, r); });
}

grpc::Status AgentRpc::CreateJoinToken(grpc::ServerContext* context,
                                       const admin::v1::CreateJoinTokenRequest* request,
                                       admin::v1::CreateJoinTokenResponse* response) {
  return door_.Answer<admin::v1::CreateJoinTokenRequest, admin::v1::CreateJoinTokenResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.create_join_token.Run(caller, r); });
}

grpc::Status AgentRpc::BanAgent(grpc::ServerContext* context,
                                const admin::v1::BanAgentRequest* request,
                                admin::v1::BanAgentResponse* response) {
  return door_.Answer<admin::v1::BanAgentRequest, admin::v1::BanAgentResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.ban.Run(caller, r); });
}

}  // namespace sallyport::controlplane
