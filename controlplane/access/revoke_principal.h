#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/access/confirmed_ends.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// An operator takes a principal's access away, on all servers at once.
class RevokePrincipal {
 public:
  // All of them outlive it.
  RevokePrincipal(Database& control, const Clock& clock, const ConfirmedEnds& confirmed)
      : control_(control), clock_(clock), confirmed_(confirmed) {}

  // Admins. Every pending and active session of the principal ends as revoked, its approvals are
  // withdrawn and, unless `no_lock`, a lock on the principal keeps it out; the lock stands also
  // where no session did. Waits for their agents to confirm it. kInvalidArgument unless `principal`
  // is realm:name.
  absl::StatusOr<admin::v1::RevokePrincipalResponse> Run(
      const Caller& caller, const admin::v1::RevokePrincipalRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const ConfirmedEnds& confirmed_;
};

}  // namespace sallyport::controlplane
