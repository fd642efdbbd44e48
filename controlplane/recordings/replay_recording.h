#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// Shows a session's records to an auditor.
class ReplayRecording {
 public:
  // All of them outlive it.
  ReplayRecording(Database& control, Database& recordings, const Clock& clock)
      : control_(control), recordings_(recordings), clock_(clock) {}

  // Gives each record, in order, to `sink`, until it returns false (the reader has gone). The audit
  // line is committed before the first record is given. ROLE_MISSING for anybody but an auditor,
  // the admin socket included; that refusal is an audit line too. kNotFound: no such session.
  absl::Status Run(const Caller& caller, const admin::v1::ReplaySessionRequest& request,
                   absl::FunctionRef<bool(const admin::v1::ReplaySessionResponse&)> sink);

 private:
  absl::Status Note(const Caller& caller, const std::string& id, bool is_allowed);

  Database& control_;
  Database& recordings_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
