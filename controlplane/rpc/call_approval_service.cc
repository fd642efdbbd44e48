#include "controlplane/rpc/call_approval_service.h"

namespace sallyport::controlplane {

grpc::Status CallApprovalRpc::RequestCallApproval(
    grpc::ServerContext* context, const agent::v1::RequestCallApprovalRequest* request,
    agent::v1::RequestCallApprovalResponse* response) {
  return door_
      .Answer<agent::v1::RequestCallApprovalRequest, agent::v1::RequestCallApprovalResponse>(
          *context, *request, response,
          [&](const Caller& caller, const auto& r) { return needs_.approvals.Run(caller, r); });
}

grpc::Status CallApprovalRpc::ReserveCall(grpc::ServerContext* context,
                                          const agent::v1::ReserveCallRequest* request,
                                          agent::v1::ReserveCallResponse* response) {
  return door_.Answer<agent::v1::ReserveCallRequest, agent::v1::ReserveCallResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.reserve.Run(caller, r); });
}

grpc::Status CallApprovalRpc::SettleCall(grpc::ServerContext* context,
                                         const agent::v1::SettleCallRequest* request,
                                         agent::v1::SettleCallResponse* response) {
  return door_.Answer<agent::v1::SettleCallRequest, agent::v1::SettleCallResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.settle.Run(caller, r); });
}

grpc::Status CallApprovalRpc::WithdrawCallApproval(
    grpc::ServerContext* context, const agent::v1::WithdrawCallApprovalRequest* request,
    agent::v1::WithdrawCallApprovalResponse* response) {
  return door_
      .Answer<agent::v1::WithdrawCallApprovalRequest, agent::v1::WithdrawCallApprovalResponse>(
          *context, *request, response,
          [&](const Caller& caller, const auto& r) { return needs_.approvals.Run(caller, r); });
}

grpc::Status CallApprovalRpc::GetCallApproval(grpc::ServerContext* context,
                                              const agent::v1::GetCallApprovalRequest* request,
                                              agent::v1::GetCallApprovalResponse* response) {
  return door_.Answer<agent::v1::GetCallApprovalRequest, agent::v1::GetCallApprovalResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.approvals.Run(caller, r); });
}

}  // namespace sallyport::controlplane
