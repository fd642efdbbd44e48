#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "common/config_file.h"
#include "common/denial.h"
#include "common/principal/trusted_issuers.h"
#include "tests/fakes/test_key.h"

namespace sallyport {

using nlohmann::json;
using types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE;
using types::v1::DENIAL_REASON_TOKEN_EXPIRED;
using types::v1::DENIAL_REASON_TOKEN_INVALID;
using types::v1::DENIAL_REASON_TOKEN_MISSING;

inline const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
inline const std::string kIssuer = "https://acme.okta.com/oauth2/aus1";
inline const std::string kPeopleIssuer = "https://acme.okta.com";

inline const TestKey& Key() {
  static auto& key = *new TestKey("RS256", "k1");
  return key;
}

inline config::v1::Issuer Entry(const std::string& yaml) {
  config::v1::Issuer entry;
  const absl::Status parsed = ParseConfig(yaml, "test.yaml", &entry);
  INFO(parsed.ToString());
  REQUIRE(parsed.ok());
  return entry;
}

inline config::v1::Issuer Okta() {
  return Entry("{id: okta, issuer: \"" + kIssuer +
               "\", audiences: [\"api://sallyport\"], preset: okta}");
}
inline config::v1::Issuer People() {
  return Entry("{id: okta-people, realm: okta, issuer: \"" + kPeopleIssuer +
               "\", audiences: [0oa1people], preset: okta, token_kind: id_token}");
}

inline std::shared_ptr<const TrustedIssuers> Trust(const std::vector<config::v1::Issuer>& entries,
                                                   const std::vector<std::string>& admin = {}) {
  auto trusted = TrustedIssuers::Compile(entries, admin);
  INFO(trusted.status().ToString());
  REQUIRE(trusted.ok());
  return *std::move(trusted);
}

inline KnownKeys Keys(std::initializer_list<json> jwks = {Key().Jwk()},
                      absl::Time fetched_at = kNow) {
  auto set = jose::KeySet::Parse(JwksOf(jwks));
  REQUIRE(set.ok());
  return {std::make_shared<const jose::KeySet>(*std::move(set)), fetched_at};
}

// A service's token as Okta's custom authorization server makes it.
inline json ServiceClaims(const json& changes = json::object()) {
  json claims = {{"iss", kIssuer},       {"aud", "api://sallyport"},
                 {"sub", "0oa1deploy"},  {"cid", "0oa1deploy"},
                 {"jti", "AT.1"},        {"ver", 1},
                 {"iat", 1'799'999'900}, {"exp", 1'800'003'500},
                 {"scp", {"mcp.use"}}};
  for (const auto& [name, value] : changes.items()) {
    if (value.is_null()) {
      claims.erase(name);
    } else {
      claims[name] = value;
    }
  }
  return claims;
}

using Result = std::variant<Identity, TokenRefusal>;

inline Result Identify(const TrustedIssuers& trusted, const std::string& token,
                       const Presentation& presentation = {}, KnownKeys keys = Keys()) {
  return trusted.Identify(
      token, presentation, [&](std::string_view) { return keys; }, kNow);
}
inline Result IdentifyService(const json& changes, const json& header = json::object()) {
  return Identify(*Trust({Okta()}), Key().Token(ServiceClaims(changes), header));
}

// The refusal's detail; empty when the token was accepted.
inline std::string DetailOf(const Result& result) {
  const auto* refusal = std::get_if<TokenRefusal>(&result);
  return refusal == nullptr ? "" : refusal->detail;
}
inline types::v1::DenialReason ReasonOfResult(const Result& result) {
  const auto* refusal = std::get_if<TokenRefusal>(&result);
  return refusal == nullptr ? types::v1::DENIAL_REASON_UNSPECIFIED : refusal->reason;
}
inline Identity Accepted(const Result& result) {
  INFO(DetailOf(result));
  REQUIRE(std::holds_alternative<Identity>(result));
  return std::get<Identity>(result);
}

}  // namespace sallyport
