#pragma once

#include <string_view>

#include "common/principal/issuer_entry.h"

namespace sallyport {

// Where an entry's mapping starts: what the provider's tokens look like. What the configuration
// gives wins.
struct Preset {
  std::string_view name;
  TokenKind kind = TokenKind::kAccess;
  std::vector<std::string> types;
  std::vector<ClaimPath> subject;
  std::vector<ClaimPath> client_id;
  std::vector<ClaimPath> scopes;
  std::vector<ClaimPath> groups;
  std::vector<ClaimPath> token_id;
  std::vector<IssuerEntry::Derived> derived;
  std::vector<IssuerEntry::Bound> bound;
  // Claims that `bound` of the configuration must pin, because the issuer serves the whole world.
  std::vector<ClaimPath> must_bind;
  std::vector<KindRule> user_if;
  std::vector<KindRule> service_if;
  // Its issuer is the customer's own, so that a workload token needs nothing bound beside the
  // audience.
  bool is_own_issuer = false;
};

// null: there is no such preset. "" is the mapping of an entry without one.
const Preset* FindPreset(std::string_view name);

// The names of all of them but "".
std::vector<std::string> PresetNames();

}  // namespace sallyport
