#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// Writes down what time has done. Nothing waits for it: whoever uses a session or an approval
// compares its end himself.
class ExpireSessions {
 public:
  // How long past its end a session may still be reported by its agent, before it is ended from
  // here.
  static constexpr absl::Duration kReportGrace = absl::Seconds(30);

  // Both outlive it.
  ExpireSessions(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  // Approvals whose time is up become expired, and a pending session with its approval denied
  // (APPROVAL_EXPIRED); active sessions past their end and the grace become ended (expired). To be
  // called about once a second; one transaction, none where there is nothing.
  absl::Status Run();

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
