#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/principal.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport {

// What a grant says: everything an agent must know to serve one session without asking. As a JWT:
//
//   header   alg ES256, typ sallyport-grant+jwt, kid
//   iss      sallyport:<deployment id>         aud  sallyport-agent:<agent>
//   sub      session id                        jti  unique to this minting
//   iat nbf exp                                exp is the session's end
//   opened   seconds                           server, issuer_id, client_address
//   principal {realm, kind, subject, client_id, scopes, groups, claims {name: list}, display}
//   terms {max_duration, idle_timeout, disconnect_grace (ms), max_calls, bind, open, lease (ms) and
//   approval {approvers, count} only where there is one} call_budget, policy {epoch, version},
//   break_glass (a reason, only where it was broken)
//
// No other token can pass for one: typ, iss and aud are all ours alone, and so is the key.
struct GrantClaims {
  std::string deployment_id;
  std::string session_id;
  std::string agent;
  std::string server;
  types::v1::Principal principal;
  // The issuer entry that accepted the token the session was opened with.
  std::string issuer_id;
  types::v1::EffectiveTerms terms;
  // The one address it serves. Empty: not bound.
  std::string client_address;
  // Counted calls this session may make in all. 0: no limit.
  std::uint64_t call_budget = 0;
  // Why it was opened without its approval. Empty: it was not.
  std::string break_glass;
  absl::Time opened_at;
  absl::Time expires_at;
  absl::Time issued_at;
  // The policies it was opened under.
  std::uint64_t policy_epoch = 0;
  std::uint64_t policy_version = 0;
};

inline constexpr char kGrantType[] = "sallyport-grant+jwt";
std::string GrantIssuer(std::string_view deployment_id);
std::string GrantAudience(std::string_view agent);

// Without a jti: the signer adds it. Times are cut to whole seconds, the end downwards.
nlohmann::json GrantClaimsToJson(const GrantClaims& claims);
// kInvalidArgument, naming the claim, where anything is missing or of another type.
absl::StatusOr<GrantClaims> GrantClaimsFromJson(const nlohmann::json& json);

}  // namespace sallyport
