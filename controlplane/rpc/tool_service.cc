#include "controlplane/rpc/tool_service.h"

namespace sallyport::controlplane {

grpc::Status ToolRpc::ListTools(grpc::ServerContext* context,
                                const admin::v1::ListToolsRequest* request,
                                admin::v1::ListToolsResponse* response) {
  return door_.Answer<admin::v1::ListToolsRequest, admin::v1::ListToolsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return tools_.Run(caller, r); });
}

grpc::Status ToolRpc::GetTool(grpc::ServerContext* context,
                              const admin::v1::GetToolRequest* request,
                              admin::v1::GetToolResponse* response) {
  return door_.Answer<admin::v1::GetToolRequest, admin::v1::GetToolResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return tools_.Run(caller, r); });
}

grpc::Status ToolRpc::AcceptTool(grpc::ServerContext* context,
                                 const admin::v1::AcceptToolRequest* request,
                                 admin::v1::AcceptToolResponse* response) {
  return door_.Answer<admin::v1::AcceptToolRequest, admin::v1::AcceptToolResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return tools_.Run(caller, r); });
}

grpc::Status ToolRpc::ForgetTools(grpc::ServerContext* context,
                                  const admin::v1::ForgetToolsRequest* request,
                                  admin::v1::ForgetToolsResponse* response) {
  return door_.Answer<admin::v1::ForgetToolsRequest, admin::v1::ForgetToolsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return tools_.Run(caller, r); });
}

}  // namespace sallyport::controlplane
