#include "common/principal/trusted_issuers.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/jose/claims.h"
#include "common/jose/strict_json.h"
#include "common/jose/token.h"
#include "common/nearest_words.h"
#include "common/principal/issuer_entry.h"
#include "common/principal/map_claims.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE;
using types::v1::DENIAL_REASON_TOKEN_EXPIRED;
using types::v1::DENIAL_REASON_TOKEN_MISSING;

constexpr int kMaxClaimDepth = 32;

using Entries = std::vector<std::unique_ptr<const IssuerEntry>>;

bool Has(std::span<const std::string> list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

TokenRefusal Refuse(std::string detail, const IssuerEntry* entry = nullptr) {
  return {.detail = std::move(detail), .issuer_id = entry == nullptr ? "" : entry->id};
}

TokenRefusal Refuse(const absl::Status& status, const IssuerEntry* entry = nullptr) {
  return Refuse(std::string(ToStd(status.message())), entry);
}

// An entry that a token is for, and by which of its audiences.
struct Match {
  const IssuerEntry* entry = nullptr;
  std::string audience;
  bool may_access = false;
  bool may_manage = false;
};

void TakeAudience(Match& match, const std::string& audience) {
  if (match.audience.empty()) match.audience = audience;
}

Match MatchEntry(const IssuerEntry& entry, const std::vector<std::string>& audiences,
                 const Presentation& presentation) {
  Match match{.entry = &entry};
  const bool takes_resources = presentation.door == Door::kAgent && entry.kind != TokenKind::kId;
  const bool takes_own = presentation.door == Door::kPeople || !entry.is_resource_bound;
  for (const std::string& audience : audiences) {
    if ((takes_resources && Has(presentation.resource_uris, audience)) ||
        (takes_own && Has(entry.audiences, audience))) {
      match.may_access = true;
      TakeAudience(match, audience);
    }
    if (presentation.door == Door::kPeople && Has(entry.admin_audiences, audience)) {
      match.may_manage = true;
      TakeAudience(match, audience);
    }
  }
  if (entry.kind == TokenKind::kId && presentation.door == Door::kPeople) {
    match.may_manage = match.may_access;
  }
  return match;
}

// The one entry that (iss, aud) names.
std::variant<Match, TokenRefusal> Choose(const Entries& entries, const nlohmann::json& claims,
                                         const Presentation& presentation) {
  const auto issuer = claims.find("iss");
  if (issuer == claims.end() || !issuer->is_string()) return Refuse("iss is missing or no string");
  const absl::StatusOr<std::vector<std::string>> audiences = jose::Audiences(claims);
  if (!audiences.ok()) return Refuse(audiences.status());
  std::optional<Match> chosen;
  bool is_issuer_known = false;
  for (const auto& entry : entries) {
    if (entry->issuer != issuer->get_ref<const std::string&>()) continue;
    is_issuer_known = true;
    Match match = MatchEntry(*entry, *audiences, presentation);
    if (!match.may_access && !match.may_manage) continue;
    if (chosen.has_value()) return Refuse("token fits two issuer entries");
    chosen = std::move(match);
  }
  if (!chosen.has_value()) {
    return Refuse(is_issuer_known ? "aud is for nobody here" : "iss is not trusted");
  }
  return *std::move(chosen);
}

// Key and signature. The thumbprint of the key that signed.
std::variant<std::string, TokenRefusal> VerifyBy(const IssuerEntry& entry, const jose::Token& token,
                                                 const KnownKeys& known, absl::Time now) {
  TokenRefusal refusal{.issuer_id = entry.id};
  const bool is_stale = !entry.has_key_file && now - known.fetched_at > entry.stale_max;
  if (known.keys == nullptr || is_stale) {
    refusal.reason = DENIAL_REASON_ISSUER_UNAVAILABLE;
    refusal.detail = is_stale && known.keys != nullptr ? "the issuer's keys are too old"
                                                       : "the issuer's keys are not known";
    return refusal;
  }
  const jose::PublicKey* key = known.keys->Find(token.key_id());
  if (key == nullptr) {
    refusal.detail = "key id is not one of the issuer's";
    refusal.unknown_key_id = token.key_id();
    return refusal;
  }
  if (absl::Status verified = token.Verify(*key, entry.algorithms); !verified.ok()) {
    refusal.detail = std::string(ToStd(verified.message()));
    return refusal;
  }
  return key->thumbprint();
}

// The entry that claims without a token are meant for, and the audience they would come with.
absl::StatusOr<std::pair<const IssuerEntry*, std::string>> ChooseFor(const Entries& entries,
                                                                     const nlohmann::json& claims,
                                                                     std::string_view issuer_id) {
  std::vector<std::string> audiences;
  if (claims.contains("aud")) {
    ASSIGN_OR_RETURN(audiences, jose::Audiences(claims));
  }
  const std::string issuer = claims.value("iss", nlohmann::json()).is_string()
                                 ? claims.at("iss").get<std::string>()
                                 : std::string();
  std::vector<std::pair<const IssuerEntry*, std::string>> choices;
  for (const auto& entry : entries) {
    if (issuer_id.empty() ? entry->issuer != issuer : entry->id != issuer_id) continue;
    const auto named =
        std::find_if(audiences.begin(), audiences.end(),
                     [&](const std::string& audience) { return Has(entry->audiences, audience); });
    if (named != audiences.end()) return std::pair(entry.get(), *named);
    choices.emplace_back(entry.get(), entry->audiences.empty() ? "" : entry->audiences.front());
  }
  if (choices.size() == 1) return choices.front();
  std::vector<std::string> ids;
  for (const auto& entry : entries) ids.push_back(entry->id);
  const std::string all = absl::StrCat(" (", absl::StrJoin(ids, ", "), ")");
  return absl::InvalidArgumentError(
      !issuer_id.empty() ? absl::StrCat("there is no issuer entry \"", ToAbsl(issuer_id), "\"",
                                        DidYouMean(issuer_id, ids), all)
      : choices.empty()
          ? absl::StrCat("iss is ", issuer.empty() ? "missing" : "of no issuer entry: " + issuer,
                         ": name the issuer entry", all)
          : absl::StrCat("several issuer entries have that iss: name the one, or add the aud",
                         all));
}

// Two entries may not take the same token, whoever made it.
absl::Status CheckApart(const Entries& entries, const std::vector<std::string>& admin_audiences) {
  std::set<std::string_view> ids;
  using IssuerAndAudience = std::pair<std::string_view, std::string_view>;
  std::map<IssuerAndAudience, std::string_view> taken;
  std::set<std::string_view> managing_issuers;
  for (const auto& entry : entries) {
    const auto bad = [&](const std::string& what) {
      return absl::InvalidArgumentError("issuer \"" + entry->id + "\": " + what);
    };
    if (!ids.insert(entry->id).second) return bad("id stands twice");
    if (!entry->admin_audiences.empty() && !managing_issuers.insert(entry->issuer).second) {
      return bad("with admin_audiences set, only one access_token entry may have its issuer URL");
    }
    for (const std::string& audience : entry->audiences) {
      if (Has(admin_audiences, audience)) {
        return bad("audience \"" + audience + "\" is one of admin_audiences");
      }
      const auto [at, is_new] =
          taken.emplace(IssuerAndAudience(entry->issuer, audience), entry->id);
      if (!is_new) {
        return bad("audience \"" + audience + "\" of this issuer URL is also that of \"" +
                   std::string(at->second) + '"');
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

TrustedIssuers::TrustedIssuers() = default;
TrustedIssuers::~TrustedIssuers() = default;

absl::StatusOr<std::shared_ptr<const TrustedIssuers>> TrustedIssuers::Compile(
    const std::vector<config::v1::Issuer>& issuers,
    const std::vector<std::string>& admin_audiences) {
  for (const std::string& audience : admin_audiences) {
    if (!jose::IsCleanText(audience)) {
      return absl::InvalidArgumentError("admin_audiences: one is empty or no clean text");
    }
  }
  const std::shared_ptr<TrustedIssuers> result(new TrustedIssuers());
  for (const config::v1::Issuer& config : issuers) {
    absl::StatusOr<IssuerEntry> entry = CompileIssuer(config);
    if (!entry.ok()) {
      return absl::InvalidArgumentError("issuer \"" + config.id() +
                                        "\": " + std::string(ToStd(entry.status().message())));
    }
    if (entry->kind == TokenKind::kAccess) entry->admin_audiences = admin_audiences;
    result->entries_.push_back(std::make_unique<const IssuerEntry>(*std::move(entry)));
  }
  RETURN_IF_ERROR(CheckApart(result->entries_, admin_audiences));
  return result;
}

std::variant<Identity, TokenRefusal> TrustedIssuers::Identify(std::string_view text,
                                                              const Presentation& presentation,
                                                              KeysOf keys_of,
                                                              absl::Time now) const {
  if (text.empty()) {
    return TokenRefusal{.reason = DENIAL_REASON_TOKEN_MISSING, .detail = "no token"};
  }
  const absl::StatusOr<jose::Token> token = jose::Token::Parse(text);
  if (!token.ok()) return Refuse(token.status());
  std::variant<Match, TokenRefusal> choice = Choose(entries_, token->claims(), presentation);
  if (auto* refusal = std::get_if<TokenRefusal>(&choice)) return std::move(*refusal);
  const Match& match = std::get<Match>(choice);
  const IssuerEntry& entry = *match.entry;

  if (entry.kind == TokenKind::kId && presentation.door == Door::kAgent) {
    return Refuse("an ID token is for the people's API only", &entry);
  }
  if (text.size() > entry.limits.max_bytes) return Refuse("token is too long", &entry);
  if (!Has(entry.types, token->type().value_or(""))) return Refuse("typ is not allowed", &entry);
  std::variant<std::string, TokenRefusal> signed_by =
      VerifyBy(entry, *token, keys_of(entry.id), now);
  if (auto* refusal = std::get_if<TokenRefusal>(&signed_by)) return std::move(*refusal);
  const absl::StatusOr<jose::TokenTimes> times =
      jose::CheckTimes(token->claims(), entry.times, now);
  if (!times.ok()) {
    TokenRefusal refusal = Refuse(times.status(), &entry);
    if (absl::IsDeadlineExceeded(times.status())) refusal.reason = DENIAL_REASON_TOKEN_EXPIRED;
    return refusal;
  }
  if (absl::Status kind = CheckKind(entry, token->claims(), match.audience); !kind.ok()) {
    return Refuse(kind, &entry);
  }
  absl::StatusOr<MappedClaims> mapped = MapClaims(entry, token->claims(), match.audience);
  if (!mapped.ok()) return Refuse(mapped.status(), &entry);
  return Identity{.principal = std::move(mapped->principal),
                  .issuer_id = entry.id,
                  .token_id = std::move(mapped->token_id),
                  .signing_key = std::get<std::string>(std::move(signed_by)),
                  .audience = match.audience,
                  .issued_at = times->issued_at,
                  .expires_at = times->expires_at + entry.times.clock_skew,
                  .may_access = match.may_access,
                  .may_manage = match.may_manage};
}

absl::StatusOr<types::v1::Principal> TrustedIssuers::MapUnverified(
    std::string_view text, std::string_view issuer_id) const {
  ASSIGN_OR_RETURN(const nlohmann::json claims, jose::ParseStrictJson(text, kMaxClaimDepth));
  if (!claims.is_object()) return absl::InvalidArgumentError("claims are no JSON object");
  ASSIGN_OR_RETURN(const auto choice, ChooseFor(entries_, claims, issuer_id));
  const auto& [chosen, audience] = choice;
  RETURN_IF_ERROR(CheckKind(*chosen, claims, audience));
  IssuerEntry entry = *chosen;
  entry.token_id.clear();  // claims are those of many tokens
  ASSIGN_OR_RETURN(MappedClaims mapped, MapClaims(entry, claims, audience));
  return std::move(mapped.principal);
}

std::vector<std::string> TrustedIssuers::AuthorizationServers() const {
  std::vector<std::string> servers;
  for (const auto& entry : entries_) {
    if (entry->kind != TokenKind::kId && !Has(servers, entry->issuer)) {
      servers.push_back(entry->issuer);
    }
  }
  return servers;
}

std::vector<std::string> TrustedIssuers::AudiencesAt(std::string_view issuer, Door door) const {
  std::vector<std::string> audiences;
  for (const auto& entry : entries_) {
    if (entry->issuer != issuer) continue;
    const bool is_people = door == Door::kPeople;
    const bool takes_own =
        is_people || (entry->kind != TokenKind::kId && !entry->is_resource_bound);
    if (takes_own)
      audiences.insert(audiences.end(), entry->audiences.begin(), entry->audiences.end());
    for (const std::string& audience : entry->admin_audiences) {
      if (is_people && !Has(audiences, audience)) audiences.push_back(audience);
    }
  }
  return audiences;
}

bool TrustedIssuers::HasRealm(std::string_view realm) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const auto& entry) { return entry->realm == realm; });
}

bool TrustedIssuers::RealmHasPeople(std::string_view realm) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry->realm == realm &&
           (entry->kind == TokenKind::kId || !entry->admin_audiences.empty());
  });
}

}  // namespace sallyport
