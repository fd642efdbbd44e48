#pragma once

#include "controlplane/access/settle_call.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/call_service.grpc.pb.h"

namespace sallyport::controlplane {

class CallRpc final : public admin::v1::CallService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    SettleCall& settle;
  };
  CallRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ResolveCall(grpc::ServerContext* context,
                           const admin::v1::ResolveCallRequest* request,
                           admin::v1::ResolveCallResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
