#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jose/algorithm.h"

// Public keys as issuers publish them (RFC 7517).
namespace sallyport::jose {

inline constexpr std::size_t kMaxKeySetBytes = 256 * 1024;
inline constexpr std::size_t kMaxKeys = 100;

// One key that may verify signatures, held ready by OpenSSL. Immutable; thread-safe.
class PublicKey {
 public:
  // Whether it serves `algorithm` for somebody who accepts `allowed`. Each key serves exactly one:
  // the one that its JWK names, else the only one of its type, else (RSA) the first RSA algorithm
  // of `allowed`.
  bool Serves(Algorithm algorithm, std::span<const Algorithm> allowed) const;

  // False for any signature that is not exactly one: ES* signatures are r||s of the exact length,
  // RS256 and PS256 are not taken for each other. The algorithm must be one of the key's type.
  bool Verify(Algorithm algorithm, std::string_view message, std::string_view signature) const;

  // The JWK with its public members only.
  const std::string& jwk() const { return jwk_; }
  // RFC 7638, SHA-256, base64url: names the key itself, whatever key id it is published under.
  const std::string& thumbprint() const { return thumbprint_; }

 private:
  friend class KeySet;
  enum class Type : unsigned char { kRsa, kP256, kP384, kEd25519 };
  PublicKey() = default;
  // kInvalidArgument, saying why the key is not usable.
  static absl::StatusOr<PublicKey> FromJwk(const nlohmann::json& jwk);
  // Whether the algorithm is one for keys of its type.
  bool Fits(Algorithm algorithm) const;
  // For a signature of the right length; may leave an error in OpenSSL's queue.
  bool VerifyExact(Algorithm algorithm, std::string_view message, std::string_view signature) const;

  std::shared_ptr<EVP_PKEY> key_;
  Type type_ = Type::kRsa;
  std::optional<Algorithm> named_;
  std::string jwk_;
  std::string thumbprint_;
};

// A JWK Set, judged once. Immutable; thread-safe.
class KeySet {
 public:
  KeySet() = default;

  // Keys that cannot verify for us are skipped, each with its reason, and do not fail the set: no
  // kid, another type or curve, `use` or `key_ops` that is not for verifying, an algorithm that is
  // not ours, private members, RSA below 2048 or above 8192 bits or with an even exponent or 1, a
  // point that is not on its curve. A kid that stands on two keys names neither. kInvalidArgument
  // for what is no JWK Set; kResourceExhausted past the limits above.
  static absl::StatusOr<KeySet> Parse(std::string_view json);

  // null: no such key.
  const PublicKey* Find(std::string_view kid) const;
  // Whether the key of this thumbprint is there, under whichever key id.
  bool Holds(std::string_view thumbprint) const;
  bool empty() const { return keys_.empty(); }
  std::size_t size() const { return keys_.size(); }
  // Sorted.
  std::vector<std::string> KeyIds() const;
  // `key 2: RSA key of 1024 bits`, one for each skipped key.
  const std::vector<std::string>& skipped() const { return skipped_; }

  // A JWK Set of exactly the usable keys, sorted by kid: equal sets give equal text.
  std::string ToJson() const;

 private:
  std::map<std::string, PublicKey, std::less<>> keys_;
  std::vector<std::string> skipped_;
};

// The public half of a P-256 key as a JWK for ES256 with the kid given.
absl::StatusOr<std::string> P256Jwk(const EVP_PKEY& key, std::string_view kid);

// {"keys":[...]} of JWKs.
std::string JwkSet(std::span<const std::string> jwks);

}  // namespace sallyport::jose
