#pragma once

#include "controlplane/access/call_approvals.h"
#include "controlplane/access/reserve_call.h"
#include "controlplane/access/settle_call.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/agent/v1/call_approval_service.grpc.pb.h"

namespace sallyport::controlplane {

class CallApprovalRpc final : public agent::v1::CallApprovalService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    CallApprovals& approvals;
    controlplane::ReserveCall& reserve;
    controlplane::SettleCall& settle;
  };
  CallApprovalRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status RequestCallApproval(grpc::ServerContext* context,
                                   const agent::v1::RequestCallApprovalRequest* request,
                                   agent::v1::RequestCallApprovalResponse* response) override;
  grpc::Status ReserveCall(grpc::ServerContext* context,
                           const agent::v1::ReserveCallRequest* request,
                           agent::v1::ReserveCallResponse* response) override;
  grpc::Status SettleCall(grpc::ServerContext* context, const agent::v1::SettleCallRequest* request,
                          agent::v1::SettleCallResponse* response) override;
  grpc::Status WithdrawCallApproval(grpc::ServerContext* context,
                                    const agent::v1::WithdrawCallApprovalRequest* request,
                                    agent::v1::WithdrawCallApprovalResponse* response) override;
  grpc::Status GetCallApproval(grpc::ServerContext* context,
                               const agent::v1::GetCallApprovalRequest* request,
                               agent::v1::GetCallApprovalResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
