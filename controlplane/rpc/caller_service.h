#pragma once

#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/caller_service.grpc.pb.h"

namespace sallyport::controlplane {

// Nothing to decide: what the door has found out is the answer.
class CallerRpc final : public admin::v1::CallerService::Service {
 public:
  explicit CallerRpc(const RpcDoor& door) : door_(door) {}

  grpc::Status GetCaller(grpc::ServerContext* context, const admin::v1::GetCallerRequest* request,
                         admin::v1::GetCallerResponse* response) override;

 private:
  const RpcDoor& door_;
};

}  // namespace sallyport::controlplane
