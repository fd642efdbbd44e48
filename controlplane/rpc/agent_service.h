#pragma once

#include "controlplane/access/ban_agent.h"
#include "controlplane/access/enroll_agent.h"
#include "controlplane/access/read_agents.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/agent_service.grpc.pb.h"

namespace sallyport::controlplane {

class AgentRpc final : public admin::v1::AgentService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    ReadAgents& read;
    controlplane::CreateJoinToken& create_join_token;
    controlplane::BanAgent& ban;
  };
  AgentRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ListAgents(grpc::ServerContext* context, const admin::v1::ListAgentsRequest* request,
                          admin::v1::ListAgentsResponse* response) override;
  grpc::Status ListAgentRecordings(grpc::ServerContext* context,
                                   const admin::v1::ListAgentRecordingsRequest* request,
                                   admin::v1::ListAgentRecordingsResponse* response) override;
  grpc::Status CreateJoinToken(grpc::ServerContext* context,
                               const admin::v1::CreateJoinTokenRequest* request,
                               admin::v1::CreateJoinTokenResponse* response) override;
  grpc::Status BanAgent(grpc::ServerContext* context, const admin::v1::BanAgentRequest* request,
                        admin::v1::BanAgentResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
