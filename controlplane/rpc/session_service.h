#pragma once

#include "common/clock.h"
#include "controlplane/access/end_session.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/access/review_session.h"
#include "controlplane/access/revoke_principal.h"
#include "controlplane/recordings/replay_recording.h"
#include "controlplane/recordings/verify_recording.h"
#include "controlplane/rpc/rpc_door.h"
#include "controlplane/store/change_feed.h"
#include "sallyport/admin/v1/session_service.grpc.pb.h"

namespace sallyport::controlplane {

class SessionRpc final : public admin::v1::SessionService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    const Clock& clock;
    ChangeFeed& changes;
    ReadSessions& read;
    controlplane::EndSession& end;
    controlplane::RevokePrincipal& revoke_principal;
    controlplane::ReviewSession& review;
    ReplayRecording& replay;
    VerifyRecording& verify;
  };
  SessionRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ListSessions(grpc::ServerContext* context,
                            const admin::v1::ListSessionsRequest* request,
                            admin::v1::ListSessionsResponse* response) override;
  grpc::Status GetSession(grpc::ServerContext* context, const admin::v1::GetSessionRequest* request,
                          admin::v1::GetSessionResponse* response) override;
  grpc::Status WatchSession(grpc::ServerContext* context,
                            const admin::v1::WatchSessionRequest* request,
                            grpc::ServerWriter<admin::v1::WatchSessionResponse>* writer) override;
  grpc::Status EndSession(grpc::ServerContext* context, const admin::v1::EndSessionRequest* request,
                          admin::v1::EndSessionResponse* response) override;
  grpc::Status RevokePrincipal(grpc::ServerContext* context,
                               const admin::v1::RevokePrincipalRequest* request,
                               admin::v1::RevokePrincipalResponse* response) override;
  grpc::Status ReviewSession(grpc::ServerContext* context,
                             const admin::v1::ReviewSessionRequest* request,
                             admin::v1::ReviewSessionResponse* response) override;
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
