#pragma once

#include "controlplane/access/pin_tools.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/agent/v1/tool_service.grpc.pb.h"

namespace sallyport::controlplane {

class AgentToolRpc final : public agent::v1::ToolService::Service {
 public:
  // Both outlive it.
  AgentToolRpc(const RpcDoor& door, PinTools& pin) : door_(door), pin_(pin) {}

  grpc::Status ReportTools(grpc::ServerContext* context,
                           const agent::v1::ReportToolsRequest* request,
                           agent::v1::ReportToolsResponse* response) override;

 private:
  const RpcDoor& door_;
  PinTools& pin_;
};

}  // namespace sallyport::controlplane
