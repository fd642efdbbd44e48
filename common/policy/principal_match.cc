#include "common/policy/principal_match.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/policy/decimal.h"

namespace sallyport {
namespace {

template <class List>
bool Holds(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool IsEqual(const types::v1::Scalar& a, const types::v1::Scalar& b) {
  if (a.value_case() != b.value_case()) return false;
  switch (a.value_case()) {
    case types::v1::Scalar::kText:
      return a.text() == b.text();
    case types::v1::Scalar::kNumber:
      return a.number() == b.number() || (Decimal::Parse(a.number()).has_value() &&
                                          Decimal::Parse(a.number()) == Decimal::Parse(b.number()));
    case types::v1::Scalar::kFlag:
      return a.flag() == b.flag();
    default:
      return false;
  }
}

bool HasClaim(const types::v1::Principal& principal, std::string_view name,
              const types::v1::Scalars& wanted) {
  for (const types::v1::Claim& claim : principal.claims()) {
    if (claim.name() != name) continue;
    return std::any_of(claim.values().begin(), claim.values().end(), [&](const auto& value) {
      return std::any_of(wanted.values().begin(), wanted.values().end(),
                         [&](const auto& other) { return IsEqual(value, other); });
    });
  }
  return false;
}

bool HasGroup(const types::v1::PrincipalMatch& match, const types::v1::Principal& principal) {
  return match.groups().empty() ||
         std::any_of(match.groups().begin(), match.groups().end(), [&](const std::string& group) {
           return Holds(principal.groups(), absl::StrCat(match.realm(), ":", group));
         });
}

// The first key of the entry that does not hold; empty: all do.
std::string FirstMismatch(const types::v1::PrincipalMatch& match,
                          const types::v1::Principal& principal) {
  if (match.realm() != principal.realm()) return "realm";
  if (match.kind() != types::v1::PRINCIPAL_KIND_UNSPECIFIED && match.kind() != principal.kind()) {
    return "kind";
  }
  if (!match.subjects().empty() && !Holds(match.subjects(), principal.subject())) {
    return "subjects";
  }
  if (!match.client_ids().empty() && !Holds(match.client_ids(), principal.client_id())) {
    return "client_ids";
  }
  if (!HasGroup(match, principal)) return "groups";
  for (const auto& [name, values] : match.claims()) {
    if (!HasClaim(principal, name, values)) return absl::StrCat("claims.", name);
  }
  return {};
}

}  // namespace

bool MatchesButForScopes(const types::v1::PrincipalMatch& match,
                         const types::v1::Principal& principal) {
  return FirstMismatch(match, principal).empty();
}

int MissingScopes(const types::v1::PrincipalMatch& match, const types::v1::Principal& principal) {
  return static_cast<int>(
      std::count_if(match.scopes().begin(), match.scopes().end(),
                    [&](const std::string& scope) { return !Holds(principal.scopes(), scope); }));
}

bool Names(const types::v1::PolicySpec& policy, const types::v1::Principal& principal) {
  return std::any_of(policy.principals().begin(), policy.principals().end(),
                     [&](const types::v1::PrincipalMatch& match) {
                       return MatchesButForScopes(match, principal) &&
                              MissingScopes(match, principal) == 0;
                     });
}

std::string WhyNotNamed(const types::v1::PolicySpec& policy,
                        const types::v1::Principal& principal) {
  std::string why = "it does not name the principal:";
  for (int i = 0; i < policy.principals_size(); ++i) {
    const std::string mismatch = FirstMismatch(policy.principals(i), principal);
    absl::StrAppend(&why, i == 0 ? " " : ", ", mismatch.empty() ? "scopes" : mismatch,
                    " of principals[", i, "]");
  }
  return why;
}

}  // namespace sallyport
