#pragma once

#include "common/clock.h"
#include "controlplane/access/decide_approval.h"
#include "controlplane/access/read_approvals.h"
#include "controlplane/access/revoke_approval.h"
#include "controlplane/rpc/rpc_door.h"
#include "controlplane/store/change_feed.h"
#include "sallyport/admin/v1/approval_service.grpc.pb.h"

namespace sallyport::controlplane {

class ApprovalRpc final : public admin::v1::ApprovalService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    const Clock& clock;
    ChangeFeed& changes;
    ReadApprovals& read;
    DecideApproval& decide;
    controlplane::RevokeApproval& revoke;
  };
  ApprovalRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ListApprovals(grpc::ServerContext* context,
                             const admin::v1::ListApprovalsRequest* request,
                             admin::v1::ListApprovalsResponse* response) override;
  grpc::Status GetApproval(grpc::ServerContext* context,
                           const admin::v1::GetApprovalRequest* request,
                           admin::v1::GetApprovalResponse* response) override;
  grpc::Status WatchApprovals(
      grpc::ServerContext* context, const admin::v1::WatchApprovalsRequest* request,
      grpc::ServerWriter<admin::v1::WatchApprovalsResponse>* writer) override;
  grpc::Status ApproveApproval(grpc::ServerContext* context,
                               const admin::v1::ApproveApprovalRequest* request,
                               admin::v1::ApproveApprovalResponse* response) override;
  grpc::Status DenyApproval(grpc::ServerContext* context,
                            const admin::v1::DenyApprovalRequest* request,
                            admin::v1::DenyApprovalResponse* response) override;
  grpc::Status RevokeApproval(grpc::ServerContext* context,
                              const admin::v1::RevokeApprovalRequest* request,
                              admin::v1::RevokeApprovalResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
