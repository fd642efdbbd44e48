#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/grant/claims.h"
#include "common/jose/key_set.h"

namespace sallyport {

// Takes the grants that are for one agent of one deployment. Immutable; thread-safe.
class GrantVerifier {
 public:
  GrantVerifier(std::string_view deployment_id, std::string agent, jose::KeySet keys);

  // The claims of a grant that is ours and has not ended. SESSION_ENDED (kFailedPrecondition) when
  // its end has come; TOKEN_INVALID for every other fault, with the detail in the message: grants
  // come from the control plane, not from callers.
  absl::StatusOr<GrantClaims> Verify(std::string_view token, absl::Time now) const;

 private:
  std::string issuer_;
  std::string audience_;
  jose::KeySet keys_;
};

}  // namespace sallyport
