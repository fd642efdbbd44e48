#include "controlplane/rpc/access_service.h"

#include "common/status_macros.h"
#include "controlplane/rpc/watch.h"

namespace sallyport::controlplane {
namespace {

bool IsOver(const types::v1::Session& session) {
  return session.state() == types::v1::SESSION_STATE_ENDED ||
         session.state() == types::v1::SESSION_STATE_DENIED;
}

}  // namespace

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
    const auto show = [&]() -> absl::StatusOr<WatchStep> {
      access::v1::WatchSessionResponse response;
      ASSIGN_OR_RETURN(*response.mutable_session(), needs_.read.Own(caller, request->session_id()));
      if (!writer->Write(response)) return absl::CancelledError("the reader has gone");
      return IsOver(response.session()) ? WatchStep::kDone : WatchStep::kGoOn;
    };
    return Watch(*context, caller, needs_.changes, needs_.clock, show,
                 [&](const Change& change) -> absl::StatusOr<WatchStep> {
                   const bool is_ours =
                       change.kind == ChangeKind::kSession && change.id == request->session_id();
                   if (!is_ours) return WatchStep::kGoOn;
                   return show();
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
