#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/jose/key_set.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport {

// Who a token speaks for, once everything about it has been checked.
struct Identity {
  types::v1::Principal principal;
  // The issuer entry that accepted the token.
  std::string issuer_id;
  // What the entry's token_id path names (jti). Empty where the entry names none.
  std::string token_id;
  // The key that signed the token, by its thumbprint (RFC 7638).
  std::string signing_key;
  // The audience that the token was accepted for.
  std::string audience;
  absl::Time issued_at;
  // Its exp, and the clock skew that the entry allows: no request is accepted with it from then on.
  absl::Time expires_at;
  // What the audience is good for on the people's API: access.v1 (an entry's audiences), admin.v1
  // (admin_audiences, or those of an id_token entry). At an agent: only the first.
  bool may_access = false;
  bool may_manage = false;
};

// Why a token was refused.
struct TokenRefusal {
  // TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED or ISSUER_UNAVAILABLE.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_TOKEN_INVALID;
  // Which check, for the log alone. Quotes nothing of the token.
  std::string detail;
  // The entry the token is meant for. Empty: none.
  std::string issuer_id;
  // Not empty: the entry's keys lack this key id. Worth one refresh and one more try; print it
  // escaped.
  std::string unknown_key_id;

  // Denied(reason) with a message that is the same for all tokens refused for that reason, so that
  // nobody learns from it how far his forgery got.
  absl::Status ToStatus() const;
};

// An issuer's keys as they were last fetched.
struct KnownKeys {
  // null: never fetched.
  std::shared_ptr<const jose::KeySet> keys;
  absl::Time fetched_at = absl::InfinitePast();
};

}  // namespace sallyport
