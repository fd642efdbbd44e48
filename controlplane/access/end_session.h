#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/access/v1/access_service.pb.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// Ends a pending or active session; its open approvals are withdrawn with it. An ended session
// stays as it ended.
class EndSession {
 public:
  // The database and the clock outlive it.
  EndSession(Database& control, const Clock& clock, IsConnected is_connected)
      : control_(control), clock_(clock), is_connected_(std::move(is_connected)) {}

  // By its own caller: completed. By its agent, whose recording of it is damaged: revoked, with an
  // alarm in the log; how many calls it made is not known, and so it counts as used up. Anybody
  // else: kNotFound, as for a session that does not exist.
  absl::StatusOr<access::v1::EndSessionResponse> Run(const Caller& caller,
                                                     const access::v1::EndSessionRequest& request);

  // By an operator: revoked, and (principal, server) locked as `end-<session id>` unless `no_lock`.
  // A session that is over already: `had_ended`, and no lock is set or changed.
  absl::StatusOr<admin::v1::EndSessionResponse> Run(const Caller& caller,
                                                    const admin::v1::EndSessionRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const IsConnected is_connected_;
};

}  // namespace sallyport::controlplane
