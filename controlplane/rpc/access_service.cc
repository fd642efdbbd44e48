#include "controlplane/rpc/access_service.h"

#include "controlplane/rpc/patient_write.h"
#include "controlplane/rpc/watch.h"

namespace sallyport::controlplane {

grpc::Status AccessRpc::OpenSession(grpc::ServerContext* context,
                                    const access::v1::OpenSessionRequest* request,
                                    access::v1::OpenSessionResponse* response) {
  return door_.Answer<access::v1::OpenSessionRequest, access::v1::OpenSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.open.Run(caller, r); });
}

grpc::Status AccessRpc::WatchSession(grpc::ServerContext* context,
                                     const access::v1::WatchSessionRequest* request,
                                     grpc::ServerWriter<access::v1::WatchSessionResponse>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) {
    return controlplane::WatchSession(
        {*context, door_, caller, needs_.changes, needs_.clock}, request->session_id(),
        [&] { return needs_.read.Own(caller, request->session_id()); },
        [&](const types::v1::Session& session) {
          access::v1::WatchSessionResponse response;
          *response.mutable_session() = session;
          return PatientWrite(*context, *writer, response);
        });
  });
}

grpc::Status AccessRpc::RenewSession(grpc::ServerContext* context,
                                     const access::v1::RenewSessionRequest* request,
                                     access::v1::RenewSessionResponse* response) {
  return door_.Answer<access::v1::RenewSessionRequest, access::v1::RenewSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.renew.Run(caller, r); });
}

grpc::Status AccessRpc::EndSession(grpc::ServerContext* context,
                                   const access::v1::EndSessionRequest* request,
                                   access::v1::EndSessionResponse* response) {
  return door_.Answer<access::v1::EndSessionRequest, access::v1::EndSessionResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.end.Run(caller, r); });
}

}  // namespace sallyport::controlplane
