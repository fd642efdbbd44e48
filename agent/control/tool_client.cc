#include "agent/control/tool_client.h"

#include <utility>

#include "agent/control/unavailable.h"
#include "agent/link/awaitable_rpc.h"
#include "sallyport/agent/v1/tool_service.grpc.pb.h"

namespace sallyport::agent {

Task<absl::StatusOr<v1::ReportToolsResponse>> ToolClient::Report(v1::ReportToolsRequest request,
                                                                 absl::Duration timeout) {
  using Rpc = v1::ToolService::StubInterface::async_interface;
  auto response = co_await CallIdempotent<v1::ToolService>(channel_, &Rpc::ReportTools,
                                                           std::move(request), timeout);
  if (!response.ok()) co_return ControlPlaneError(response.status());
  co_return *std::move(response);
}

}  // namespace sallyport::agent
