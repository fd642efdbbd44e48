#pragma once

#include "controlplane/access/notices.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/notice_service.grpc.pb.h"

namespace sallyport::controlplane {

class NoticeRpc final : public admin::v1::NoticeService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    Notices& notices;
  };
  NoticeRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ListNotices(grpc::ServerContext* context,
                           const admin::v1::ListNoticesRequest* request,
                           admin::v1::ListNoticesResponse* response) override;
  grpc::Status RetryNotice(grpc::ServerContext* context,
                           const admin::v1::RetryNoticeRequest* request,
                           admin::v1::RetryNoticeResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
