#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/session.h"
#include "sallyport/types/v1/grant.pb.h"

namespace sallyport::controlplane {

class GrantSigner;

// Mints the grant of a session, for the one agent that is the session's.
class SessionGrants {
 public:
  // Both outlive it.
  SessionGrants(const GrantSigner& signer, const Clock& clock) : signer_(signer), clock_(clock) {}

  // kFailedPrecondition (SESSION_ENDED, SESSION_PENDING) unless the session is active now and its
  // agent is fixed.
  absl::StatusOr<types::v1::Grant> For(const Session& session) const;

 private:
  const GrantSigner& signer_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
