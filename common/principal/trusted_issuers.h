#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/principal/identity.h"
#include "sallyport/config/v1/issuer.pb.h"

namespace sallyport {

struct IssuerEntry;

// Where a token was presented.
enum class Door {
  // To an agent (also when the agent shows it to the control plane): the entry's audiences unless
  // it
  // is resource_bound, and the resource URIs given. Tokens of id_token entries are not for servers
  // and are refused.
  kAgent,
  // To the people's API: the entry's audiences and admin_audiences.
  kPeople,
};

struct Presentation {
  Door door = Door::kAgent;
  // At an agent: its own resource URIs that the token may be for.
  std::span<const std::string> resource_uris;
};

// The issuer entries of a configuration or a snapshot, checked and compiled: the one place where a
// token becomes a principal, the same on both sides. Immutable; thread-safe.
class TrustedIssuers {
 public:
  // kInvalidArgument, naming the entry and the key, for what may not stand: see proto/config's
  // comments and the README here. Agents give no admin audiences.
  static absl::StatusOr<std::shared_ptr<const TrustedIssuers>> Compile(
      const std::vector<config::v1::Issuer>& issuers,
      const std::vector<std::string>& admin_audiences = {});
  ~TrustedIssuers();
  TrustedIssuers(const TrustedIssuers&) = delete;
  TrustedIssuers& operator=(const TrustedIssuers&) = delete;

  // What is known of an entry's keys.
  using KeysOf = absl::FunctionRef<KnownKeys(std::string_view issuer_id)>;

  // The entry is chosen by (iss, one aud); then header, key, signature, times, kind, confirmation,
  // mapping, bound claims, in that order, the first failure being the refusal. Looks at `keys_of`
  // once, and only for a token that names one of the entries. An empty token is TOKEN_MISSING.
  std::variant<Identity, TokenRefusal> Identify(std::string_view token,
                                                const Presentation& presentation, KeysOf keys_of,
                                                absl::Time now) const;

  // Who claims, a JSON object, would speak for in a token of the entry `issuer_id`; empty: of the
  // one that their `iss` and `aud` name. Nothing vouches for them: to explain, never to let anybody
  // in. kInvalidArgument, naming the claim, for what a token would be refused for.
  absl::StatusOr<types::v1::Principal> MapUnverified(std::string_view claims,
                                                     std::string_view issuer_id) const;

  // The issuer URLs whose tokens an agent takes, without repetition, in the configuration's order
  // (RFC 9728: authorization_servers).
  std::vector<std::string> AuthorizationServers() const;

  // The audiences that a token of this issuer URL may be for at the door, beside an agent's own
  // resource URIs. For explanations.
  std::vector<std::string> AudiencesAt(std::string_view issuer, Door door) const;

  bool HasRealm(std::string_view realm) const;
  // People sign in under this realm: it has an id_token entry, or an access-token entry while there
  // are admin audiences.
  bool RealmHasPeople(std::string_view realm) const;

 private:
  TrustedIssuers();
  std::vector<std::unique_ptr<const IssuerEntry>> entries_;
};

}  // namespace sallyport
