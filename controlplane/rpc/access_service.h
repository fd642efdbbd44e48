#pragma once

#include "common/clock.h"
#include "controlplane/access/end_session.h"
#include "controlplane/access/open_session.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/access/renew_session.h"
#include "controlplane/rpc/rpc_door.h"
#include "controlplane/store/change_feed.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"

namespace sallyport::controlplane {

class AccessRpc final : public access::v1::AccessService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    const Clock& clock;
    ChangeFeed& changes;
    controlplane::OpenSession& open;
    controlplane::RenewSession& renew;
    controlplane::EndSession& end;
    ReadSessions& read;
  };
  AccessRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status OpenSession(grpc::ServerContext* context,
                           const access::v1::OpenSessionRequest* request,
                           access::v1::OpenSessionResponse* response) override;
  grpc::Status WatchSession(grpc::ServerContext* context,
                            const access::v1::WatchSessionRequest* request,
                            grpc::ServerWriter<access::v1::WatchSessionResponse>* writer) override;
  grpc::Status RenewSession(grpc::ServerContext* context,
                            const access::v1::RenewSessionRequest* request,
                            access::v1::RenewSessionResponse* response) override;
  grpc::Status EndSession(grpc::ServerContext* context,
                          const access::v1::EndSessionRequest* request,
                          access::v1::EndSessionResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
