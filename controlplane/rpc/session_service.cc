#include "controlplane/rpc/session_service.h"

namespace sallyport::controlplane {

grpc::Status SessionRpc::ListSessions(grpc::ServerContext* context,
                                      const admin::v1::ListSessionsRequest* request,
                                      admin::v1::ListSessionsResponse* response) {
  return door_.Answer<admin::v1::ListSessionsRequest, admin::v1::ListSessionsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.read.Run(caller, r); });
}

grpc::Status SessionRpc::GetSession(grpc::ServerContext* context,
                                    const admin::v1::GetSessionRequest* request,
                                    admin::v1::GetSessionResponse* response) {
  return door_.Answer<admin::v1::GetSessionRequest, admin::v1::GetSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.read.Run(caller, r); });
}

grpc::Status SessionRpc::EndSession(grpc::ServerContext* context,
                                    const admin::v1::EndSessionRequest* request,
                                    admin::v1::EndSessionResponse* response) {
  return door_.Answer<admin::v1::EndSessionRequest, admin::v1::EndSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.end.Run(caller, r); });
}

grpc::Status SessionRpc::ReplaySession(
    grpc::ServerContext* context, const admin::v1::ReplaySessionRequest* request,
    grpc::ServerWriter<admin::v1::ReplaySessionResponse>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) {
    return needs_.replay.Run(caller, *request, [&](const admin::v1::ReplaySessionResponse& record) {
      return writer->Write(record);
    });
  });
}

grpc::Status SessionRpc::VerifySession(grpc::ServerContext* context,
                                       const admin::v1::VerifySessionRequest* request,
                                       admin::v1::VerifySessionResponse* response) {
  return door_.Answer<admin::v1::VerifySessionRequest, admin::v1::VerifySessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.verify.Run(caller, r); });
}

}  // namespace sallyport::controlplane
