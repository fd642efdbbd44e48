#include "controlplane/rpc/agent_tool_service.h"

namespace sallyport::controlplane {

grpc::Status AgentToolRpc::ReportTools(grpc::ServerContext* context,
                                       const agent::v1::ReportToolsRequest* request,
                                       agent::v1::ReportToolsResponse* response) {
  return door_.Answer<agent::v1::ReportToolsRequest, agent::v1::ReportToolsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return pin_.Run(caller, r); });
}

}  // namespace sallyport::controlplane
