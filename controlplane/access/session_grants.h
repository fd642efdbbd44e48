#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/session.h"
#include "sallyport/types/v1/grant.pb.h"

namespace sallyport::controlplane {

class GrantSigner;

// Mints the grant of a session, for the one agent that is the session's.
class SessionGrants {
 public:
  // `deployment_id` is meta::DeploymentId. Signer and clock outlive it.
  SessionGrants(const GrantSigner& signer, std::string deployment_id, const Clock& clock)
      : signer_(signer), deployment_id_(std::move(deployment_id)), clock_(clock) {}

  // kFailedPrecondition (SESSION_ENDED, SESSION_PENDING) unless the session is active now and its
  // agent is fixed.
  absl::StatusOr<types::v1::Grant> For(const Session& session) const;

 private:
  const GrantSigner& signer_;
  const std::string deployment_id_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
