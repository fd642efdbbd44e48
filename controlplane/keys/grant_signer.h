#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/grant/claims.h"
#include "common/tls.h"

namespace sallyport::controlplane {

// Mints grants (ES256). Immutable; thread-safe.
class GrantSigner {
 public:
  // kInvalidArgument unless the key is P-256.
  static absl::StatusOr<std::unique_ptr<GrantSigner>> Create(PrivateKey key);

  // The token. `claims` must be complete: kInvalidArgument, naming what is missing.
  absl::StatusOr<std::string> Sign(const GrantClaims& claims) const;

  // A JWK Set of the public key: what agents verify with.
  const std::string& public_keys() const { return public_keys_; }
  // SHA-256 of the SubjectPublicKeyInfo, lower-case hex. Its first 16 digits are the kid.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  GrantSigner() = default;
  PrivateKey key_;
  std::string key_id_;
  std::string public_keys_;
  std::string fingerprint_;
};

}  // namespace sallyport::controlplane
