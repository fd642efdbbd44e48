#include "controlplane/rpc/call_service.h"

namespace sallyport::controlplane {

grpc::Status CallRpc::ResolveCall(grpc::ServerContext* context,
                                  const admin::v1::ResolveCallRequest* request,
                                  admin::v1::ResolveCallResponse* response) {
  return door_.Answer<admin::v1::ResolveCallRequest, admin::v1::ResolveCallResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.settle.Run(caller, r); });
}

}  // namespace sallyport::controlplane
