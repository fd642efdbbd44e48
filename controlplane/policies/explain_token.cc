#include "controlplane/policies/explain_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/jose/claims.h"
#include "common/jose/token.h"
#include "common/policy/compiled_policies.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Document;

admin::v1::TokenVerdict VerdictOf(const std::variant<Identity, TokenRefusal>& result) {
  admin::v1::TokenVerdict verdict;
  if (const auto* refusal = std::get_if<TokenRefusal>(&result)) {
    verdict.set_reason(refusal->reason);
    verdict.set_detail(WhyRefused(*refusal));
    verdict.set_issuer(refusal->issuer_id);
    return verdict;
  }
  const Identity& identity = std::get<Identity>(result);
  verdict.set_is_accepted(true);
  verdict.set_issuer(identity.issuer_id);
  verdict.set_audience(identity.audience);
  *verdict.mutable_principal() = identity.principal;
  *verdict.mutable_issued_at() = ToProto(identity.issued_at);
  *verdict.mutable_expires_at() = ToProto(identity.expires_at);
  verdict.set_may_manage(identity.may_manage);
  verdict.set_may_access(identity.may_access);
  return verdict;
}

// Names what a refused token is for and what would be taken, where these have nothing in common.
void AddAudiences(std::string_view text, const TrustedIssuers& trusted, Door door,
                  admin::v1::TokenVerdict& verdict) {
  const absl::StatusOr<jose::Token> token = jose::Token::Parse(text);
  // Where an entry is named, the audience has chosen it.
  if (verdict.is_accepted() || !verdict.issuer().empty() || !token.ok()) return;
  const absl::StatusOr<std::vector<std::string>> audiences = jose::Audiences(token->claims());
  const auto issuer = token->claims().find("iss");
  if (!audiences.ok() || issuer == token->claims().end() || !issuer->is_string()) return;
  const std::vector<std::string> taken = trusted.AudiencesAt(issuer->get<std::string>(), door);
  const bool is_met = std::ranges::any_of(*audiences, [&](const std::string& audience) {
    return std::ranges::find(taken, audience) != taken.end();
  });
  if (is_met || taken.empty()) return;
  verdict.set_detail(absl::StrCat(verdict.detail(), "; the token is for ",
                                  absl::StrJoin(*audiences, ", "), ", and what is taken here is ",
                                  absl::StrJoin(taken, ", "),
                                  door == Door::kAgent ? ", or an agent's own URL" : ""));
}

// Asks one policy alone, as if it were for every server.
absl::StatusOr<OpenDecision> AskAlone(Document document, const types::v1::Principal& principal,
                                      absl::Time now) {
  document.mutable_policy()->clear_servers();
  document.mutable_policy()->add_servers("*");
  ASSIGN_OR_RETURN(const auto compiled, CompiledPolicies::Compile({std::move(document)}));
  return compiled->EvaluateOpen(principal, "any", "", now);
}

absl::Status AddPolicies(Database& control, const types::v1::Principal& principal, absl::Time now,
                         admin::v1::ExplainTokenResponse& response) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  ASSIGN_OR_RETURN(const std::vector<Document> documents, documents::All(*t));
  for (const Document& document : documents) {
    if (!document.has_policy()) continue;
    ASSIGN_OR_RETURN(const OpenDecision open, AskAlone(document, principal, now));
    if (open.reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN) continue;
    admin::v1::NamedBy& named = *response.add_policies();
    named.set_policy(document.name());
    *named.mutable_servers() = document.policy().servers();
    *named.mutable_required_scopes() = {open.required_scopes.begin(), open.required_scopes.end()};
  }
  return absl::OkStatus();
}

}  // namespace

std::string WhyRefused(const TokenRefusal& refusal) {
  if (refusal.reason != types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE) return refusal.detail;
  return absl::StrCat(refusal.detail, "; `sallyport issuers check ", refusal.issuer_id,
                      "` asks it now and says what is wrong");
}

std::vector<std::string> UrlsAmongAudiences(std::string_view text) {
  const absl::StatusOr<jose::Token> token = jose::Token::Parse(text);
  if (!token.ok()) return {};
  absl::StatusOr<std::vector<std::string>> audiences = jose::Audiences(token->claims());
  if (!audiences.ok()) return {};
  std::erase_if(*audiences, [](const std::string& audience) {
    return !audience.starts_with("https://") && !audience.starts_with("http://");
  });
  return *std::move(audiences);
}

absl::StatusOr<admin::v1::ExplainTokenResponse> ExplainToken::Run(const std::string& token) const {
  if (token.empty()) return absl::InvalidArgumentError("token is missing");
  admin::v1::ExplainTokenResponse response;
  *response.mutable_people() = VerdictOf(issuers_.Identify(token, {.door = Door::kPeople}));
  AddAudiences(token, issuers_.trusted(), Door::kPeople, *response.mutable_people());
  const std::vector<std::string> urls = UrlsAmongAudiences(token);
  *response.mutable_agents() =
      VerdictOf(issuers_.Identify(token, {.door = Door::kAgent, .resource_uris = urls}));
  AddAudiences(token, issuers_.trusted(), Door::kAgent, *response.mutable_agents());
  // Policies are for who comes to an agent; a person's ID token never does.
  if (response.agents().is_accepted()) {
    RETURN_IF_ERROR(AddPolicies(control_, response.agents().principal(), clock_.Now(), response));
  }
  return response;
}

}  // namespace sallyport::controlplane
