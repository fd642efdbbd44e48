#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/call_service.pb.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

namespace sallyport::controlplane {

// What became of a call: by its agent's word, and where that is "nobody knows", by an admin's.
class SettleCall {
 public:
  // Both outlive it.
  SettleCall(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  // For the session's agent; the session may be over. kNotFound for a call that was never reserved,
  // unless its outcome is unknown: then it is written down. kFailedPrecondition where it has been
  // settled otherwise.
  absl::StatusOr<agent::v1::SettleCallResponse> Run(const Caller& caller,
                                                    const agent::v1::SettleCallRequest& request);
  // For admins, and never on a call of their own (APPROVER_NOT_ELIGIBLE). kFailedPrecondition where
  // the call is not in doubt.
  absl::StatusOr<admin::v1::ResolveCallResponse> Run(const Caller& caller,
                                                     const admin::v1::ResolveCallRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
