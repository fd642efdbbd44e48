#include "controlplane/keys/grant_signer.h"

#include <exception>
#include <jwt/jwt.hpp>
#include <utility>

#include "absl/status/status.h"
#include "common/ids.h"
#include "common/jose/base64url.h"
#include "common/jose/key_set.h"
#include "common/status_macros.h"
#include "controlplane/keys/es256.h"
#include "controlplane/keys/key_fingerprint.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kKeyIdDigits = 16;

absl::Status CheckComplete(const GrantClaims& claims) {
  // What the agent would refuse must not be minted.
  const nlohmann::json json = GrantClaimsToJson(claims);
  RETURN_IF_ERROR(GrantClaimsFromJson(json).status());
  if (claims.issued_at < absl::UnixEpoch() || claims.expires_at <= claims.issued_at) {
    return absl::InvalidArgumentError("grant: ends before it is made");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrantSigner>> GrantSigner::Create(PrivateKey key) {
  auto signer = std::unique_ptr<GrantSigner>(new GrantSigner());
  signer->fingerprint_ = KeyFingerprint(*key);
  signer->key_id_ = signer->fingerprint_.substr(0, kKeyIdDigits);
  ASSIGN_OR_RETURN(const std::string jwk, jose::P256Jwk(*key, signer->key_id_));
  signer->public_keys_ = jose::JwkSet({&jwk, 1});
  signer->key_ = std::move(key);
  return signer;
}

absl::StatusOr<std::string> GrantSigner::Sign(const GrantClaims& claims) const {
  RETURN_IF_ERROR(CheckComplete(claims));
  // cpp-jwt reports some faults as exceptions, also from here; none of ours may throw.
  try {
    jwt::jwt_object token{jwt::params::algorithm("ES256")};
    token.header().add_header("typ", std::string(kGrantType), true);
    token.header().add_header("kid", key_id_);
    const nlohmann::json json = GrantClaimsToJson(claims);
    for (const auto& [name, value] : json.items()) token.add_claim(name, value);
    token.add_claim("jti", NewRequestId());
    const std::string input =
        token.header().base64_encode() + '.' + token.payload().base64_encode();
    return input + '.' + jose::Base64UrlEncode(SignEs256(*key_, input));
  } catch (const std::exception& e) {
    return absl::InternalError(std::string("cannot sign a grant: ") + e.what());
  }
}

}  // namespace sallyport::controlplane
