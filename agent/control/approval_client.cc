#include "agent/control/approval_client.h"

#include <utility>

#include "agent/control/unavailable.h"
#include "agent/link/awaitable_rpc.h"
#include "common/denial.h"
#include "common/log.h"
#include "sallyport/agent/v1/call_approval_service.grpc.pb.h"

namespace sallyport::agent {
namespace {

using Rpc = v1::CallApprovalService::StubInterface::async_interface;

constexpr absl::Duration kTellTimeout = absl::Minutes(1);

// The task owns all it uses: the client may be gone before it ends.
Task<void> TellWithdrawn(ControlPlaneChannel& channel, v1::WithdrawCallApprovalRequest request) {
  const std::string id = request.approval_id();
  const auto response = co_await CallIdempotent<v1::CallApprovalService>(
      channel, &Rpc::WithdrawCallApproval, std::move(request), kTellTimeout);
  if (!response.ok())
    LogWarning("approval_not_withdrawn", {{"approval", id}, {"error", response.status()}});
}

}  // namespace

Task<absl::StatusOr<types::v1::Approval>> ApprovalClient::Request(
    v1::RequestCallApprovalRequest request, absl::Duration timeout) {
  auto response = co_await CallIdempotent<v1::CallApprovalService>(
      channel_, &Rpc::RequestCallApproval, std::move(request), timeout);
  if (!response.ok()) co_return ControlPlaneError(response.status());
  if (response->denial_reason() != types::v1::DENIAL_REASON_UNSPECIFIED) {
    co_return Denied(response->denial_reason(),
                     response->detail().empty()
                         ? "the control plane takes no approval for this call"
                         : response->detail());
  }
  if (!response->has_approval())
    co_return absl::InternalError("the control plane sent no approval");
  co_return std::move(*response->mutable_approval());
}

Task<absl::StatusOr<v1::ReserveCallResponse>> ApprovalClient::Reserve(
    v1::ReserveCallRequest request, absl::Duration timeout) {
  auto response = co_await CallIdempotent<v1::CallApprovalService>(channel_, &Rpc::ReserveCall,
                                                                   std::move(request), timeout);
  if (!response.ok()) co_return ControlPlaneError(response.status());
  co_return *std::move(response);
}

void ApprovalClient::Withdraw(std::string approval_id, std::string session_id) {
  v1::WithdrawCallApprovalRequest request;
  request.set_approval_id(std::move(approval_id));
  request.set_session_id(std::move(session_id));
  channel_.loop().Spawn(TellWithdrawn(channel_, std::move(request)));
}

Task<absl::StatusOr<types::v1::Approval>> ApprovalClient::Find(std::string approval_id,
                                                               std::string session_id,
                                                               absl::Duration timeout) {
  v1::GetCallApprovalRequest request;
  request.set_approval_id(std::move(approval_id));
  request.set_session_id(std::move(session_id));
  auto response = co_await CallIdempotent<v1::CallApprovalService>(channel_, &Rpc::GetCallApproval,
                                                                   std::move(request), timeout);
  if (!response.ok()) co_return response.status();
  co_return std::move(*response->mutable_approval());
}

}  // namespace sallyport::agent
