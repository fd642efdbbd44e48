#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// The look back at a session that was opened without its approval.
class ReviewSession {
 public:
  // All of them outlive it.
  ReviewSession(Database& control, Database& recordings, const Clock& clock,
                CurrentPolicies& policies)
      : control_(control), recordings_(recordings), clock_(clock), policies_(policies) {}

  // People who may manage and whom the session's approval would have asked; neither its caller nor
  // who owns its caller. A refused attempt is an audit line. kFailedPrecondition for a session that
  // did not break glass, has not ended, or has been reviewed.
  absl::StatusOr<admin::v1::ReviewSessionResponse> Run(
      const Caller& caller, const admin::v1::ReviewSessionRequest& request);

 private:
  absl::Status CheckEligible(Transaction& t, const Caller& caller,
                             const types::v1::Session& session);

  Database& control_;
  Database& recordings_;
  const Clock& clock_;
  CurrentPolicies& policies_;
};

}  // namespace sallyport::controlplane
