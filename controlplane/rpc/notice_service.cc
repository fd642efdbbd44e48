#include "controlplane/rpc/notice_service.h"

namespace sallyport::controlplane {

grpc::Status NoticeRpc::ListNotices(grpc::ServerContext* context,
                                    const admin::v1::ListNoticesRequest* request,
                                    admin::v1::ListNoticesResponse* response) {
  return door_.Answer<admin::v1::ListNoticesRequest, admin::v1::ListNoticesResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.notices.Run(caller, r); });
}

grpc::Status NoticeRpc::RetryNotice(grpc::ServerContext* context,
                                    const admin::v1::RetryNoticeRequest* request,
                                    admin::v1::RetryNoticeResponse* response) {
  return door_.Answer<admin::v1::RetryNoticeRequest, admin::v1::RetryNoticeResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.notices.Run(caller, r); });
}

}  // namespace sallyport::controlplane
