#include "common/principal/issuer_entry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/jose/strict_json.h"
#include "common/names.h"
#include "common/nearest_words.h"
#include "common/principal/endpoint_url.h"
#include "common/principal/presets.h"
#include "common/status_macros.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxNameBytes = 63;
constexpr absl::Duration kMaxClockSkew = absl::Seconds(120);
constexpr absl::Duration kMaxStale = absl::Hours(24);
constexpr std::uint32_t kMaxTokenBytes = 16384;
constexpr std::uint32_t kMaxJsonDepth = 32;
constexpr std::uint32_t kMaxGroups = 10000;

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::Duration ToAbslDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::StatusOr<ClaimPath> PathOf(const config::v1::ClaimPath& path, const char* key) {
  if (path.members().empty()) return Bad(std::string(key) + ": a path needs a member name");
  for (const std::string& member : path.members()) {
    if (member.empty()) return Bad(std::string(key) + ": a member name is empty");
  }
  return ClaimPath(path.members().begin(), path.members().end());
}

using ConfigPaths = google::protobuf::RepeatedPtrField<config::v1::ClaimPath>;

// The configuration's paths, or those of the preset where it gives none.
absl::StatusOr<std::vector<ClaimPath>> PathsOr(const ConfigPaths& paths, const char* key,
                                               const std::vector<ClaimPath>& preset) {
  if (paths.empty()) return preset;
  std::vector<ClaimPath> result;
  for (const config::v1::ClaimPath& path : paths) {
    ASSIGN_OR_RETURN(result.emplace_back(), PathOf(path, key));
  }
  return result;
}

absl::Status SetIdentity(const config::v1::Issuer& config, IssuerEntry& entry) {
  if (!IsLabel(config.id())) return Bad("id: [a-z0-9][a-z0-9-]{0,62} is needed");
  entry.id = config.id();
  entry.realm = config.realm().empty() ? config.id() : config.realm();
  if (!IsLabel(entry.realm)) return Bad("realm: [a-z0-9][a-z0-9-]{0,62} is needed");
  if (absl::Status url = CheckEndpointUrl(config.issuer()); !url.ok()) {
    return Bad("issuer: " + std::string(url.message()));
  }
  entry.issuer = config.issuer();
  entry.is_resource_bound = config.resource_bound();
  if (config.audiences().empty()) return Bad("audiences: at least one is needed");
  std::set<std::string_view> seen;
  for (const std::string& audience : config.audiences()) {
    if (!jose::IsCleanText(audience)) return Bad("audiences: one is empty or no clean text");
    if (!seen.insert(audience).second) return Bad("audiences: \"" + audience + "\" twice");
    entry.audiences.push_back(audience);
  }
  return absl::OkStatus();
}

absl::Status SetKind(const config::v1::Issuer& config, const Preset& preset, IssuerEntry& entry) {
  const std::string& kind = config.token_kind();
  if (kind.empty()) {
    entry.kind = preset.kind;
  } else if (kind == "access_token") {
    entry.kind = TokenKind::kAccess;
  } else if (kind == "id_token") {
    entry.kind = TokenKind::kId;
  } else if (kind == "workload_id_token") {
    entry.kind = TokenKind::kWorkload;
  } else {
    return Bad("token_kind: access_token, id_token or workload_id_token");
  }
  return absl::OkStatus();
}

absl::Status SetHeaderRules(const config::v1::Issuer& config, const Preset& preset,
                            IssuerEntry& entry) {
  for (const std::string& name : config.algs()) {
    const auto algorithm = jose::AlgorithmFromName(name);
    if (!algorithm.has_value()) {
      return Bad("algs: \"" + name + "\" is none of RS256, PS256, ES256, ES384, EdDSA");
    }
    if (std::count(entry.algorithms.begin(), entry.algorithms.end(), *algorithm) != 0) {
      return Bad("algs: \"" + name + "\" twice");
    }
    entry.algorithms.push_back(*algorithm);
  }
  if (entry.algorithms.empty()) entry.algorithms = {jose::Algorithm::kRs256};

  for (const std::string& type : config.typ()) {
    if (type.empty()) return Bad("typ: write `absent` for a token without one");
    entry.types.push_back(type == "absent" ? "" : jose::NormalType(type));
  }
  if (!entry.types.empty()) return absl::OkStatus();
  entry.types = preset.types;
  // at+jwt says that a token is no ID token (RFC 9068).
  if (entry.kind == TokenKind::kId) entry.types = {"jwt", ""};
  return absl::OkStatus();
}

absl::Status SetLimits(const config::v1::Issuer& config, IssuerEntry& entry) {
  if (config.has_clock_skew()) entry.times.clock_skew = ToAbslDuration(config.clock_skew());
  if (entry.times.clock_skew < absl::ZeroDuration() || entry.times.clock_skew > kMaxClockSkew) {
    return Bad("clock_skew: 0s to 120s");
  }
  if (config.has_max_lifetime()) entry.times.max_lifetime = ToAbslDuration(config.max_lifetime());
  if (entry.times.max_lifetime <= absl::ZeroDuration()) return Bad("max_lifetime: above 0s");

  const config::v1::TokenLimits& limits = config.limits();
  if (limits.token_bytes() > kMaxTokenBytes) return Bad("limits.token_bytes: at most 16384");
  if (limits.json_depth() > kMaxJsonDepth) return Bad("limits.json_depth: at most 32");
  if (limits.groups() > kMaxGroups) return Bad("limits.groups: at most 10000");
  if (limits.token_bytes() != 0) entry.limits.max_bytes = limits.token_bytes();
  if (limits.json_depth() != 0) entry.limits.max_depth = static_cast<int>(limits.json_depth());
  if (limits.groups() != 0) entry.max_groups = limits.groups();
  return absl::OkStatus();
}

absl::Status SetKeySource(const config::v1::Issuer& config, IssuerEntry& entry) {
  const config::v1::JwksSource& jwks = config.jwks();
  if (!jwks.uri().empty() && !jwks.file().empty())
    return Bad("jwks: uri and file exclude each other");
  if (!jwks.uri().empty()) {
    if (absl::Status url = CheckEndpointUrl(jwks.uri()); !url.ok()) {
      return Bad("jwks.uri: " + std::string(url.message()));
    }
  }
  entry.has_key_file = !jwks.file().empty();
  if (jwks.has_stale_max()) entry.stale_max = ToAbslDuration(jwks.stale_max());
  if (entry.stale_max <= absl::ZeroDuration() || entry.stale_max > kMaxStale) {
    return Bad("jwks.stale_max: above 0s, at most 24h");
  }
  if (jwks.has_min_refresh() && ToAbslDuration(jwks.min_refresh()) < absl::Seconds(1)) {
    return Bad("jwks.min_refresh: at least 1s");
  }
  return absl::OkStatus();
}

absl::StatusOr<nlohmann::json> ScalarOf(const types::v1::Scalar& scalar) {
  switch (scalar.value_case()) {
    case types::v1::Scalar::kText:
      return scalar.text();
    case types::v1::Scalar::kFlag:
      return scalar.flag();
    case types::v1::Scalar::kNull:
      return nullptr;
    case types::v1::Scalar::kNumber: {
      ASSIGN_OR_RETURN(nlohmann::json number, jose::ParseStrictJson(scalar.number(), 1));
      if (number.is_number()) return number;
      return Bad("no number");
    }
    case types::v1::Scalar::VALUE_NOT_SET:
      break;
  }
  return Bad("no value");
}

absl::Status SetBound(const config::v1::Issuer& config, const Preset& preset, IssuerEntry& entry) {
  entry.bound = preset.bound;
  for (const config::v1::BoundClaim& bound : config.claims().bound()) {
    ASSIGN_OR_RETURN(ClaimPath path, PathOf(bound.path(), "claims.bound"));
    absl::StatusOr<nlohmann::json> equals = ScalarOf(bound.equals());
    if (!equals.ok()) return Bad("claims.bound: `equals` is needed");
    std::erase_if(entry.bound, [&](const IssuerEntry::Bound& b) { return b.path == path; });
    entry.bound.push_back({std::move(path), *std::move(equals)});
  }
  for (const ClaimPath& needed : preset.must_bind) {
    const bool is_bound = std::any_of(entry.bound.begin(), entry.bound.end(),
                                      [&](const auto& b) { return b.path == needed; });
    if (!is_bound) {
      return Bad("claims.bound: the preset needs a value for \"" + needed.back() +
                 "\", because its issuer serves everybody");
    }
  }
  if (entry.kind == TokenKind::kWorkload && entry.bound.empty() && !preset.is_own_issuer) {
    return Bad(
        "claims.bound: a workload_id_token entry needs one, because its issuer serves everybody");
  }
  return absl::OkStatus();
}

// What policies write as a key.
bool IsAttributeName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

absl::Status SetAttributes(const config::v1::ClaimMapping& claims, IssuerEntry& entry) {
  for (const auto& [name, path] : claims.attributes()) {
    if (!IsAttributeName(name)) {
      return Bad("claims.attributes: \"" + name + "\" is not [A-Za-z0-9_.-]{1,63}");
    }
    ASSIGN_OR_RETURN(ClaimPath members, PathOf(path, "claims.attributes"));
    entry.attributes.push_back({name, std::move(members)});
  }
  std::sort(entry.attributes.begin(), entry.attributes.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return absl::OkStatus();
}

absl::Status SetMapping(const config::v1::Issuer& config, const Preset& preset,
                        IssuerEntry& entry) {
  const config::v1::ClaimMapping& claims = config.claims();
  entry.subject = preset.subject;
  if (claims.has_subject()) {
    ASSIGN_OR_RETURN(ClaimPath path, PathOf(claims.subject(), "claims.subject"));
    entry.subject = {std::move(path)};
  }
  ASSIGN_OR_RETURN(entry.client_id,
                   PathsOr(claims.client_id(), "claims.client_id", preset.client_id));
  ASSIGN_OR_RETURN(entry.scopes, PathsOr(claims.scopes(), "claims.scopes", preset.scopes));
  ASSIGN_OR_RETURN(entry.groups, PathsOr(claims.groups(), "claims.groups", preset.groups));
  ASSIGN_OR_RETURN(entry.token_id, PathsOr(claims.token_id(), "claims.token_id", preset.token_id));
  ASSIGN_OR_RETURN(entry.display,
                   PathsOr(claims.display(), "claims.display", {{"preferred_username"}, {"name"}}));
  entry.derived = preset.derived;
  if (!claims.derived().empty()) entry.derived.clear();
  for (const config::v1::DerivedGroup& derived : claims.derived()) {
    ASSIGN_OR_RETURN(ClaimPath path, PathOf(derived.path(), "claims.derived"));
    entry.derived.push_back({std::move(path), derived.prefix()});
  }
  return SetAttributes(claims, entry);
}

using ConfigRules = google::protobuf::RepeatedPtrField<config::v1::KindRule>;

absl::StatusOr<std::vector<KindRule>> RulesOr(const ConfigRules& rules, const char* key,
                                              const std::vector<KindRule>& preset) {
  if (rules.empty()) return preset;
  std::vector<KindRule> result;
  for (const config::v1::KindRule& rule : rules) {
    KindRule& compiled = result.emplace_back();
    if (!rule.has_present() && !rule.has_absent()) {
      return Bad(std::string(key) + ": a rule needs `present` or `absent`");
    }
    if (rule.has_present()) {
      ASSIGN_OR_RETURN(compiled.present, PathOf(rule.present(), key));
    }
    if (rule.has_absent()) {
      ASSIGN_OR_RETURN(compiled.absent, PathOf(rule.absent(), key));
    }
  }
  return result;
}

absl::Status SetKindRules(const config::v1::Issuer& config, const Preset& preset,
                          IssuerEntry& entry) {
  const config::v1::KindRules& rules = config.principal();
  if (rules.kind() == "service") {
    entry.kind_mode = KindMode::kService;
  } else if (rules.kind() == "user" || entry.kind == TokenKind::kId) {
    entry.kind_mode = KindMode::kUser;
  } else if (!rules.kind().empty() && rules.kind() != "auto") {
    return Bad("principal.kind: auto, service or user");
  }
  if (entry.kind == TokenKind::kId && entry.kind_mode != KindMode::kUser) {
    return Bad("principal.kind: an id_token entry gives users");
  }
  ASSIGN_OR_RETURN(entry.user_if, RulesOr(rules.user_if(), "principal.user_if", preset.user_if));
  ASSIGN_OR_RETURN(entry.service_if,
                   RulesOr(rules.service_if(), "principal.service_if", preset.service_if));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IssuerEntry> CompileIssuer(const config::v1::Issuer& config) {
  const Preset* preset = FindPreset(config.preset());
  if (preset == nullptr) {
    return Bad(absl::StrCat("preset: there is no \"", config.preset(), "\"",
                            DidYouMean(config.preset(), PresetNames()), " (",
                            absl::StrJoin(PresetNames(), ", "), ")"));
  }
  IssuerEntry entry;
  RETURN_IF_ERROR(SetIdentity(config, entry));
  RETURN_IF_ERROR(SetKind(config, *preset, entry));
  RETURN_IF_ERROR(SetHeaderRules(config, *preset, entry));
  RETURN_IF_ERROR(SetLimits(config, entry));
  RETURN_IF_ERROR(SetKeySource(config, entry));
  RETURN_IF_ERROR(SetMapping(config, *preset, entry));
  RETURN_IF_ERROR(SetBound(config, *preset, entry));
  RETURN_IF_ERROR(SetKindRules(config, *preset, entry));
  return entry;
}

}  // namespace sallyport
