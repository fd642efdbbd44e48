#include "common/principal/map_claims.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/jose/claims.h"
#include "common/status_macros.h"

namespace sallyport {
namespace {

using Json = nlohmann::json;

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

// The last member name is enough for a log: the path is the operator's own.
std::string NameOf(const ClaimPath& path) { return "claim \"" + path.back() + '"'; }

// null: absent. A step into what is no object is an error.
absl::StatusOr<const Json*> At(const Json& claims, const ClaimPath& path) {
  const Json* here = &claims;
  for (const std::string& member : path) {
    if (!here->is_object()) return Bad(NameOf(path) + " has no object on its path");
    const auto next = here->find(member);
    if (next == here->end()) return nullptr;
    here = &*next;
  }
  return here;
}

absl::StatusOr<std::string> CleanString(const Json& value, const ClaimPath& path) {
  if (!value.is_string()) return Bad(NameOf(path) + " is no string");
  const auto& text = value.get_ref<const std::string&>();
  if (!jose::IsCleanText(text)) {
    return Bad(NameOf(path) + " is empty, too long or has control characters");
  }
  return text;
}

// The first of the paths that the token has. nullopt: none.
absl::StatusOr<std::optional<std::string>> FirstString(const Json& claims,
                                                       const std::vector<ClaimPath>& paths) {
  for (const ClaimPath& path : paths) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, path));
    if (value == nullptr) continue;
    ASSIGN_OR_RETURN(std::string text, CleanString(*value, path));
    return text;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<std::string>> StringList(const Json& value, const ClaimPath& path) {
  if (!value.is_array()) return Bad(NameOf(path) + " is no list");
  std::vector<std::string> list;
  for (const Json& element : value) {
    ASSIGN_OR_RETURN(list.emplace_back(), CleanString(element, path));
  }
  return list;
}

std::vector<std::string> SplitAtSpaces(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != ' ') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

absl::StatusOr<std::vector<std::string>> Scopes(const IssuerEntry& entry, const Json& claims) {
  for (const ClaimPath& path : entry.scopes) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, path));
    if (value == nullptr) continue;
    if (!value->is_string()) return StringList(*value, path);
    const auto& text = value->get_ref<const std::string&>();
    std::vector<std::string> scopes = SplitAtSpaces(text);
    for (const std::string& scope : scopes) {
      if (!jose::IsCleanText(scope)) return Bad(NameOf(path) + " has control characters");
    }
    return scopes;
  }
  return std::vector<std::string>();
}

// A provider that leaves groups out because there are too many says so; then absent is not none.
absl::Status CheckNoOverage(const IssuerEntry& entry, const Json& claims) {
  const auto names = claims.find("_claim_names");
  const auto elsewhere = [&](const ClaimPath& path) {
    return names != claims.end() && (!names->is_object() || names->contains(path.front()));
  };
  const auto marker = claims.find("hasgroups");
  const bool has_marker = marker != claims.end() && *marker != Json(false);
  if (!entry.groups.empty() &&
      (has_marker || std::any_of(entry.groups.begin(), entry.groups.end(), elsewhere))) {
    return Bad("groups are left out of the token (overage)");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Groups(const IssuerEntry& entry, const Json& claims) {
  RETURN_IF_ERROR(CheckNoOverage(entry, claims));
  std::vector<std::string> groups;
  const auto add = [&](const std::string& name) {
    std::string group = entry.realm + ':' + name;
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
      groups.push_back(std::move(group));
    }
  };
  for (const ClaimPath& path : entry.groups) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, path));
    if (value == nullptr) continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> names, StringList(*value, path));
    // Before they are told apart: telling costs the square of their number.
    if (names.size() > entry.max_groups) return Bad(NameOf(path) + " has too many groups");
    for (const std::string& name : names) add(name);
  }
  for (const IssuerEntry::Derived& derived : entry.derived) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, derived.path));
    if (value == nullptr) continue;
    ASSIGN_OR_RETURN(const std::string name, CleanString(*value, derived.path));
    add(derived.prefix + name);
  }
  if (groups.size() > entry.max_groups) return Bad("too many groups");
  return groups;
}

absl::StatusOr<types::v1::Scalar> ScalarOf(const Json& value, const ClaimPath& path) {
  types::v1::Scalar scalar;
  if (value.is_boolean()) {
    scalar.set_flag(value.get<bool>());
  } else if (value.is_number_unsigned()) {
    scalar.set_number(std::to_string(value.get<std::uint64_t>()));
  } else if (value.is_number_integer()) {
    scalar.set_number(std::to_string(value.get<std::int64_t>()));
  } else if (value.is_string()) {
    ASSIGN_OR_RETURN(*scalar.mutable_text(), CleanString(value, path));
  } else {
    // Also a fraction: as a double it is not what the token says.
    return Bad(NameOf(path) + " is no string, whole number or boolean");
  }
  return scalar;
}

// What policies may ask for. The empty list has no values, as a claim that is absent.
absl::Status AddAttributes(const IssuerEntry& entry, const Json& claims,
                           types::v1::Principal& principal) {
  for (const IssuerEntry::Attribute& attribute : entry.attributes) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, attribute.path));
    if (value == nullptr) continue;
    types::v1::Claim& claim = *principal.add_claims();
    claim.set_name(attribute.name);
    if (!value->is_array()) {
      ASSIGN_OR_RETURN(*claim.add_values(), ScalarOf(*value, attribute.path));
      continue;
    }
    if (value->size() > entry.max_groups)
      return Bad(NameOf(attribute.path) + " has too many values");
    for (const Json& element : *value) {
      ASSIGN_OR_RETURN(*claim.add_values(), ScalarOf(element, attribute.path));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBound(const IssuerEntry& entry, const Json& claims) {
  for (const IssuerEntry::Bound& bound : entry.bound) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, bound.path));
    if (value == nullptr || *value != bound.equals) {
      return Bad("bound " + NameOf(bound.path) + " is missing or has another value");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Applies(const KindRule& rule, const Json& claims) {
  if (!rule.present.empty()) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, rule.present));
    if (value == nullptr) return false;
  }
  if (!rule.absent.empty()) {
    ASSIGN_OR_RETURN(const Json* value, At(claims, rule.absent));
    if (value != nullptr) return false;
  }
  return true;
}

absl::StatusOr<bool> AnyApplies(const std::vector<KindRule>& rules, const Json& claims) {
  for (const KindRule& rule : rules) {
    ASSIGN_OR_RETURN(const bool applies, Applies(rule, claims));
    if (applies) return true;
  }
  return false;
}

// Who no rule calls a user is a service, and a rule that says service wins: approving is for users,
// so the doubtful case must not become one.
absl::StatusOr<types::v1::PrincipalKind> KindOf(const IssuerEntry& entry, const Json& claims) {
  if (entry.kind_mode == KindMode::kUser) return types::v1::PRINCIPAL_KIND_USER;
  if (entry.kind_mode == KindMode::kService) return types::v1::PRINCIPAL_KIND_SERVICE;
  ASSIGN_OR_RETURN(const bool is_service, AnyApplies(entry.service_if, claims));
  if (is_service) return types::v1::PRINCIPAL_KIND_SERVICE;
  ASSIGN_OR_RETURN(const bool is_user, AnyApplies(entry.user_if, claims));
  return is_user ? types::v1::PRINCIPAL_KIND_USER : types::v1::PRINCIPAL_KIND_SERVICE;
}

// Never an error: it decides nothing.
std::string Display(const IssuerEntry& entry, const Json& claims) {
  for (const ClaimPath& path : entry.display) {
    const absl::StatusOr<const Json*> value = At(claims, path);
    if (!value.ok() || *value == nullptr) continue;
    absl::StatusOr<std::string> text = CleanString(**value, path);
    if (text.ok()) return *std::move(text);
  }
  return {};
}

absl::StatusOr<std::string> ClientId(const IssuerEntry& entry, const Json& claims,
                                     const std::string& audience) {
  ASSIGN_OR_RETURN(std::optional<std::string> client, FirstString(claims, entry.client_id));
  if (client.has_value()) return *std::move(client);
  // The audience of an ID token is the client it was made for (OpenID Connect Core, 2).
  if (entry.kind == TokenKind::kId) return audience;
  return Bad("no client id");
}

std::string StringOr(const Json& claims, const char* name) {
  const auto claim = claims.find(name);
  return claim != claims.end() && claim->is_string() ? claim->get<std::string>() : std::string();
}

}  // namespace

absl::StatusOr<MappedClaims> MapClaims(const IssuerEntry& entry, const Json& claims,
                                       const std::string& audience) {
  RETURN_IF_ERROR(jose::TextClaim(claims, "sub").status());
  MappedClaims mapped;
  types::v1::Principal& principal = mapped.principal;
  principal.set_realm(entry.realm);
  ASSIGN_OR_RETURN(const auto kind, KindOf(entry, claims));
  principal.set_kind(kind);
  ASSIGN_OR_RETURN(std::optional<std::string> subject, FirstString(claims, entry.subject));
  if (!subject.has_value()) return Bad("no subject");
  principal.set_subject(*std::move(subject));
  ASSIGN_OR_RETURN(std::string client, ClientId(entry, claims, audience));
  principal.set_client_id(std::move(client));
  if (!entry.token_id.empty()) {
    ASSIGN_OR_RETURN(std::optional<std::string> token_id, FirstString(claims, entry.token_id));
    if (!token_id.has_value()) return Bad("no token id");
    mapped.token_id = *std::move(token_id);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> scopes, Scopes(entry, claims));
  principal.mutable_scopes()->Assign(scopes.begin(), scopes.end());
  ASSIGN_OR_RETURN(const std::vector<std::string> groups, Groups(entry, claims));
  principal.mutable_groups()->Assign(groups.begin(), groups.end());
  RETURN_IF_ERROR(AddAttributes(entry, claims, principal));
  RETURN_IF_ERROR(CheckBound(entry, claims));
  principal.set_display(Display(entry, claims));
  return mapped;
}

absl::Status CheckKind(const IssuerEntry& entry, const Json& claims, const std::string& audience) {
  if (claims.contains("cnf")) return Bad("token is bound to a proof (cnf) that is not supported");
  if (claims.contains("events")) return Bad("an event or logout token");
  const std::string token_id = StringOr(claims, "jti");
  const std::string type = StringOr(claims, "typ");  // Keycloak's, in the payload
  if (type == "Refresh" || type == "Offline" || type == "Logout") return Bad("no bearer token");
  if (entry.kind == TokenKind::kId) {
    if (token_id.rfind("AT.", 0) == 0 || type == "Bearer" || claims.contains("scp")) {
      return Bad("an access token where an ID token belongs");
    }
    const auto party = claims.find("azp");
    if (party != claims.end() && *party != Json(audience)) {
      return Bad("an ID token that was made for another client (azp)");
    }
  }
  if (entry.kind == TokenKind::kAccess) {
    for (const char* name : {"nonce", "at_hash", "c_hash", "s_hash"}) {
      if (claims.contains(name)) return Bad("an ID token where an access token belongs");
    }
    if (token_id.rfind("ID.", 0) == 0 || type == "ID") {
      return Bad("an ID token where an access token belongs");
    }
  }
  return absl::OkStatus();
}

}  // namespace sallyport
