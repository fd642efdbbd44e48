#include "controlplane/rpc/session_service.h"

#include <utility>

#include "common/status_macros.h"
#include "controlplane/rpc/patient_write.h"
#include "controlplane/rpc/watch.h"

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

grpc::Status SessionRpc::WatchSession(grpc::ServerContext* context,
                                      const admin::v1::WatchSessionRequest* request,
                                      grpc::ServerWriter<admin::v1::WatchSessionResponse>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) {
    admin::v1::GetSessionRequest get;
    get.set_id(request->id());
    return controlplane::WatchSession(
        {*context, door_, caller, needs_.changes, needs_.clock}, request->id(),
        [&]() -> absl::StatusOr<types::v1::Session> {
          ASSIGN_OR_RETURN(admin::v1::GetSessionResponse got, needs_.read.Run(caller, get));
          return std::move(*got.mutable_session());
        },
        [&](const types::v1::Session& session) {
          admin::v1::WatchSessionResponse response;
          *response.mutable_session() = session;
          return PatientWrite(*context, *writer, response);
        });
  });
}

grpc::Status SessionRpc::EndSession(grpc::ServerContext* context,
                                    const admin::v1::EndSessionRequest* request,
                                    admin::v1::EndSessionResponse* response) {
  return door_.Answer<admin::v1::EndSessionRequest, admin::v1::EndSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.end.Run(caller, r); });
}

grpc::Status SessionRpc::RevokePrincipal(grpc::ServerContext* context,
                                         const admin::v1::RevokePrincipalRequest* request,
                                         admin::v1::RevokePrincipalResponse* response) {
  return door_.Answer<admin::v1::RevokePrincipalRequest, admin::v1::RevokePrincipalResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.revoke_principal.Run(caller, r); });
}

grpc::Status SessionRpc::ReviewSession(grpc::ServerContext* context,
                                       const admin::v1::ReviewSessionRequest* request,
                                       admin::v1::ReviewSessionResponse* response) {
  return door_.Answer<admin::v1::ReviewSessionRequest, admin::v1::ReviewSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.review.Run(caller, r); });
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
