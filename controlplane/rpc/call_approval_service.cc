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

grpc::Status CallApprovalRpc::ConsumeCallApproval(
    grpc::ServerContext* context, const agent::v1::ConsumeCallApprovalRequest* request,
    agent::v1::ConsumeCallApprovalResponse* response) {
  return door_
      .Answer<agent::v1::ConsumeCallApprovalRequest, agent::v1::ConsumeCallApprovalResponse>(
          *context, *request, response,
          [&](const Caller& caller, const auto& r) { return needs_.approvals.Run(caller, r); });
}

grpc::Status CallApprovalRpc::WithdrawCallApproval(
    grpc::ServerContext* context, const agent::v1::WithdrawCallApprovalRequest* request,
    agent::v1::WithdrawCallApprovalResponse* response) {
  return door_
      .Answer<agent::v1::WithdrawCallApprovalRequest, agent::v1::WithdrawCallApprovalResponse>(
          *context, *request, response,
          [&](const Caller& caller, const auto& r) { return needs_.approvals.Run(caller, r); });
}

}  // namespace sallyport::controlplane
