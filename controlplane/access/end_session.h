#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/access/confirmed_ends.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/access/v1/access_service.pb.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// Ends a pending or active session; its open approvals are withdrawn with it. An ended session
// stays as it ended.
class EndSession {
 public:
  // All of them outlive it.
  EndSession(Database& control, const Clock& clock, const ConfirmedEnds& confirmed)
      : control_(control), clock_(clock), confirmed_(confirmed) {}

  // By its own caller: completed. By its agent, whose recording of it is damaged: revoked, with an
  // alarm in the log; how many calls it made is not known, and so it counts as used up. Anybody
  // else: kNotFound, as for a session that does not exist.
  absl::StatusOr<access::v1::EndSessionResponse> Run(const Caller& caller,
                                                     const access::v1::EndSessionRequest& request);

  // By an operator: revoked, and (principal, server) locked as `end-<session id>` unless `no_lock`.
  // A session that is over already: `had_ended`, and no lock is set or changed. Waits for its agent
  // to confirm it.
  absl::StatusOr<admin::v1::EndSessionResponse> Run(const Caller& caller,
                                                    const admin::v1::EndSessionRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const ConfirmedEnds& confirmed_;
};

}  // namespace sallyport::controlplane
