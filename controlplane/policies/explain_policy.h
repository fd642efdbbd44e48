#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/keys/effect_keys.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Says which rule of which document in force decides a call, what would change that, and what of
// the deployment refuses it all the same.
class ExplainPolicy {
 public:
  // All of them outlive it.
  ExplainPolicy(Database& control, const Clock& clock, Issuers& issuers,
                const EffectKeys& effect_keys)
      : control_(control), clock_(clock), issuers_(issuers), effect_keys_(effect_keys) {}

  // kInvalidArgument for a call that is none and for claims that no token could have; a token that
  // an agent would refuse is refused with its reason, and with which check it was.
  absl::StatusOr<admin::v1::ExplainPolicyResponse> Run(
      const admin::v1::ExplainPolicyRequest& request) const;

 private:
  absl::StatusOr<types::v1::Principal> PrincipalOf(
      const admin::v1::ExplainPolicyRequest& request) const;

  Database& control_;
  const Clock& clock_;
  Issuers& issuers_;
  const EffectKeys& effect_keys_;
};

}  // namespace sallyport::controlplane
