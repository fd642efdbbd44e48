#include "common/grant/verify.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/denial.h"
#include "common/jose/claims.h"
#include "common/jose/token.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_SESSION_ENDED;
using types::v1::DENIAL_REASON_TOKEN_INVALID;

// Larger than a caller's token: a principal's groups gain their realm here.
constexpr jose::TokenLimits kLimits{.max_bytes = 64 * 1024, .max_depth = 8};
constexpr jose::Algorithm kAlgorithms[] = {jose::Algorithm::kEs256};
// The control plane's clock may be ahead of ours; the end is not moved by it.
constexpr absl::Duration kClockSkew = absl::Seconds(120);
// A session may have been opened long before this agent asks for its grant again.
constexpr absl::Duration kMaxLifetime = absl::Hours(25);

absl::Status Invalid(std::string_view why) {
  return Denied(DENIAL_REASON_TOKEN_INVALID, "grant: " + std::string(why));
}

}  // namespace

GrantVerifier::GrantVerifier(std::string_view deployment_id, std::string agent, jose::KeySet keys)
    : issuer_(GrantIssuer(deployment_id)),
      audience_(GrantAudience(agent)),
      keys_(std::move(keys)) {}

absl::StatusOr<GrantClaims> GrantVerifier::Verify(std::string_view text, absl::Time now) const {
  const absl::StatusOr<jose::Token> token = jose::Token::Parse(text, kLimits);
  if (!token.ok()) return Invalid(ToStd(token.status().message()));
  if (token->type() != kGrantType) return Invalid("another type of token");
  const jose::PublicKey* key = keys_.Find(token->key_id());
  if (key == nullptr) return Invalid("key id is not the control plane's");
  if (absl::Status verified = token->Verify(*key, kAlgorithms); !verified.ok()) {
    return Invalid(ToStd(verified.message()));
  }
  const nlohmann::json& json = token->claims();
  if (json.value("iss", nlohmann::json()) != issuer_) return Invalid("of another deployment");
  if (json.value("aud", nlohmann::json()) != audience_) return Invalid("for another agent");
  const absl::StatusOr<jose::TokenTimes> times =
      jose::CheckTimes(json, {.clock_skew = kClockSkew, .max_lifetime = kMaxLifetime}, now);
  if (!times.ok() && !absl::IsDeadlineExceeded(times.status())) {
    return Invalid(ToStd(times.status().message()));
  }
  // No skew for the end: the session's end is the same moment for everybody.
  if (!times.ok() || times->expires_at <= now) {
    return Denied(DENIAL_REASON_SESSION_ENDED, "the session is over");
  }
  absl::StatusOr<GrantClaims> claims = GrantClaimsFromJson(json);
  if (!claims.ok()) return Invalid(ToStd(claims.status().message()));
  return claims;
}

}  // namespace sallyport
