#pragma once

#include "absl/status/statusor.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// Checks a recording from its first record to its last.
class VerifyRecording {
 public:
  // Both outlive it.
  VerifyRecording(Database& control, Database& recordings)
      : control_(control), recordings_(recordings) {}

  // Admin, auditor or the admin socket. A broken chain is a response that says so; a session that
  // has ended and was ever active must be closed by an END record, and one that may still go on is
  // `is_open`. kNotFound: no such session.
  absl::StatusOr<admin::v1::VerifySessionResponse> Run(
      const Caller& caller, const admin::v1::VerifySessionRequest& request);

 private:
  Database& control_;
  Database& recordings_;
};

}  // namespace sallyport::controlplane
