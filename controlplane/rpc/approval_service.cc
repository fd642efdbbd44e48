#include "controlplane/rpc/approval_service.h"

#include "common/status_macros.h"
#include "controlplane/rpc/patient_write.h"
#include "controlplane/rpc/watch.h"

namespace sallyport::controlplane {

grpc::Status ApprovalRpc::ListApprovals(grpc::ServerContext* context,
                                        const admin::v1::ListApprovalsRequest* request,
                                        admin::v1::ListApprovalsResponse* response) {
  return door_.Answer<admin::v1::ListApprovalsRequest, admin::v1::ListApprovalsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.read.Run(caller, r); });
}

grpc::Status ApprovalRpc::GetApproval(grpc::ServerContext* context,
                                      const admin::v1::GetApprovalRequest* request,
                                      admin::v1::GetApprovalResponse* response) {
  return door_.Answer<admin::v1::GetApprovalRequest, admin::v1::GetApprovalResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.read.Run(caller, r); });
}

grpc::Status ApprovalRpc::WatchApprovals(
    grpc::ServerContext* context, const admin::v1::WatchApprovalsRequest* request,
    grpc::ServerWriter<admin::v1::WatchApprovalsResponse>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) {
    const auto show = [&](const types::v1::Approval& approval) {
      admin::v1::WatchApprovalsResponse response;
      *response.mutable_approval() = approval;
      return PatientWrite(*context, *writer, response);
    };
    const auto show_pending = [&]() -> absl::StatusOr<WatchStep> {
      admin::v1::ListApprovalsRequest list;
      do {
        ASSIGN_OR_RETURN(const auto page, needs_.read.Run(caller, list));
        for (const types::v1::Approval& approval : page.items()) RETURN_IF_ERROR(show(approval));
        list.set_page_token(page.next_page_token());
      } while (!list.page_token().empty());
      return WatchStep::kGoOn;
    };
    const auto show_change = [&](const Change& change) -> absl::StatusOr<WatchStep> {
      if (change.kind != ChangeKind::kApproval) return WatchStep::kGoOn;
      const auto found = needs_.read.Short(caller, change.id);
      // Not for this reader.
      if (absl::IsNotFound(found.status())) return WatchStep::kGoOn;
      RETURN_IF_ERROR(found.status());
      RETURN_IF_ERROR(show(*found));
      return WatchStep::kGoOn;
    };
    return Watch({*context, door_, caller, needs_.changes, needs_.clock}, show_pending,
                 show_change);
  });
}

grpc::Status ApprovalRpc::ApproveApproval(grpc::ServerContext* context,
                                          const admin::v1::ApproveApprovalRequest* request,
                                          admin::v1::ApproveApprovalResponse* response) {
  return door_.Answer<admin::v1::ApproveApprovalRequest, admin::v1::ApproveApprovalResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.decide.Run(caller, r); });
}

grpc::Status ApprovalRpc::DenyApproval(grpc::ServerContext* context,
                                       const admin::v1::DenyApprovalRequest* request,
                                       admin::v1::DenyApprovalResponse* response) {
  return door_.Answer<admin::v1::DenyApprovalRequest, admin::v1::DenyApprovalResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.decide.Run(caller, r); });
}

grpc::Status ApprovalRpc::RevokeApproval(grpc::ServerContext* context,
                                         const admin::v1::RevokeApprovalRequest* request,
                                         admin::v1::RevokeApprovalResponse* response) {
  return door_.Answer<admin::v1::RevokeApprovalRequest, admin::v1::RevokeApprovalResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.revoke.Run(caller, r); });
}

}  // namespace sallyport::controlplane
