#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"

namespace sallyport::controlplane {

// An operator takes a principal's access away, on all servers at once.
class RevokePrincipal {
 public:
  // The database and the clock outlive it.
  RevokePrincipal(Database& control, const Clock& clock, IsConnected is_connected)
      : control_(control), clock_(clock), is_connected_(std::move(is_connected)) {}

  // Admins. Every pending and active session of the principal ends as revoked, its approvals are
  // withdrawn and, unless `no_lock`, a lock on the principal keeps it out; the lock stands also
  // where no session did. kInvalidArgument unless `principal` is realm:name.
  absl::StatusOr<admin::v1::RevokePrincipalResponse> Run(
      const Caller& caller, const admin::v1::RevokePrincipalRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const IsConnected is_connected_;
};

}  // namespace sallyport::controlplane
