#pragma once

#include "controlplane/access/manage_tools.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/tool_service.grpc.pb.h"

namespace sallyport::controlplane {

class ToolRpc final : public admin::v1::ToolService::Service {
 public:
  // Both outlive it.
  ToolRpc(const RpcDoor& door, ManageTools& tools) : door_(door), tools_(tools) {}

  grpc::Status ListTools(grpc::ServerContext* context, const admin::v1::ListToolsRequest* request,
                         admin::v1::ListToolsResponse* response) override;
  grpc::Status GetTool(grpc::ServerContext* context, const admin::v1::GetToolRequest* request,
                       admin::v1::GetToolResponse* response) override;
  grpc::Status AcceptTool(grpc::ServerContext* context, const admin::v1::AcceptToolRequest* request,
                          admin::v1::AcceptToolResponse* response) override;
  grpc::Status ForgetTools(grpc::ServerContext* context,
                           const admin::v1::ForgetToolsRequest* request,
                           admin::v1::ForgetToolsResponse* response) override;

 private:
  const RpcDoor& door_;
  ManageTools& tools_;
};

}  // namespace sallyport::controlplane
