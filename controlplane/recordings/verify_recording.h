#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/recordings/recording.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// Checks a recording from its first record to its last.
class VerifyRecording {
 public:
  // All outlive it.
  VerifyRecording(Database& control, Database& recordings, const Clock& clock,
                  IsConnected is_connected)
      : control_(control),
        recordings_(recordings),
        clock_(clock),
        is_connected_(std::move(is_connected)) {}

  // Admin, auditor or the admin socket. A broken chain is a response that says so; a session that
  // has ended and was ever active must be closed by an END record, and one that may still go on is
  // `is_open`. So is one that has ended where the END record may be on its way: for a minute, and
  // for as long as its agent is away. kNotFound: no such session.
  absl::StatusOr<admin::v1::VerifySessionResponse> Run(
      const Caller& caller, const admin::v1::VerifySessionRequest& request);

 private:
  // Of a session that must have its END record, and has none.
  absl::StatusOr<bool> MayStillBeClosed(const RecordingSubject& subject) const;

  Database& control_;
  Database& recordings_;
  const Clock& clock_;
  const IsConnected is_connected_;
};

}  // namespace sallyport::controlplane
