#pragma once

#include "controlplane/access/end_session.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/recordings/replay_recording.h"
#include "controlplane/recordings/verify_recording.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/session_service.grpc.pb.h"

namespace sallyport::controlplane {

class SessionRpc final : public admin::v1::SessionService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    ReadSessions& read;
    controlplane::EndSession& end;
    ReplayRecording& replay;
    VerifyRecording& verify;
  };
  SessionRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ListSessions(grpc::ServerContext* context,
                            const admin::v1::ListSessionsRequest* request,
                            admin::v1::ListSessionsResponse* response) override;
  grpc::Status GetSession(grpc::ServerContext* context, const admin::v1::GetSessionRequest* request,
                          admin::v1::GetSessionResponse* response) override;
  grpc::Status EndSession(grpc::ServerContext* context, const admin::v1::EndSessionRequest* request,
                          admin::v1::EndSessionResponse* response) override;
  grpc::Status ReplaySession(grpc::ServerContext* context,
                             const admin::v1::ReplaySessionRequest* request,
                             grpc::ServerWriter<admin::v1::ReplaySessionResponse>* writer) override;
  grpc::Status VerifySession(grpc::ServerContext* context,
                             const admin::v1::VerifySessionRequest* request,
                             admin::v1::VerifySessionResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
