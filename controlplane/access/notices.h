#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/notice_service.pb.h"

namespace sallyport::controlplane {

// What became of notices, and another try for what did not arrive.
class Notices {
 public:
  // Both outlive it.
  Notices(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  absl::StatusOr<admin::v1::ListNoticesResponse> Run(const Caller& caller,
                                                     const admin::v1::ListNoticesRequest& request);
  // kFailedPrecondition where it is not dead.
  absl::StatusOr<admin::v1::RetryNoticeResponse> Run(const Caller& caller,
                                                     const admin::v1::RetryNoticeRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
