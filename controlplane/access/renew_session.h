#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/access/v1/access_service.pb.h"

namespace sallyport::controlplane {

class Issuers;

// A session's caller has brought a new token.
class RenewSession {
 public:
  // All of them outlive it.
  RenewSession(Database& control, const Clock& clock, Issuers& issuers)
      : control_(control), clock_(clock), issuers_(issuers) {}

  // Agents, for their own active sessions. CLIENT_MISMATCH unless the token names the same (realm,
  // kind, subject, client id). All that changes is whose key vouches for the session
  // (WithdrawnKeys): not the end, and not the scopes and groups that it was opened with.
  absl::StatusOr<access::v1::RenewSessionResponse> Run(
      const Caller& caller, const access::v1::RenewSessionRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  Issuers& issuers_;
};

}  // namespace sallyport::controlplane
