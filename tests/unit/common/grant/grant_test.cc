#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/denial.h"
#include "common/grant/verify.h"
#include "tests/fakes/test_key.h"

namespace sallyport {
namespace {

using nlohmann::json;
using types::v1::DENIAL_REASON_SESSION_ENDED;
using types::v1::DENIAL_REASON_TOKEN_INVALID;
using types::v1::DENIAL_REASON_UNSPECIFIED;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

const TestKey& Key() {
  static auto& key = *new TestKey("ES256", "grant");
  return key;
}

GrantClaims Claims() {
  GrantClaims claims{.deployment_id = "d1",
                     .session_id = "ses_abc",
                     .agent = "edge",
                     .server = "wiki",
                     .issuer_id = "okta",
                     .client_address = "192.0.2.7",
                     .call_budget = 20,
                     .opened_at = kNow - absl::Seconds(5),
                     .expires_at = kNow + absl::Minutes(15),
                     .issued_at = kNow,
                     .policy_epoch = 1,
                     .policy_version = 42};
  claims.principal.set_realm("okta");
  claims.principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  claims.principal.set_subject("zo\xc3\xab");
  claims.principal.set_client_id("0oa1");
  claims.principal.add_scopes("mcp.use");
  claims.principal.add_groups("okta:gr\xc3\xbcn");
  claims.principal.set_display("Zo\xc3\xab");
  types::v1::Claim& cost = *claims.principal.add_claims();
  cost.set_name("cost");
  cost.add_values()->set_number("1e400");
  cost.add_values()->set_text("1e400");
  cost.add_values()->set_flag(true);
  cost.add_values()->set_null(true);
  claims.principal.add_claims()->set_name("empty");
  claims.terms.mutable_max_duration()->set_seconds(900);
  claims.terms.mutable_idle_timeout()->set_seconds(120);
  claims.terms.mutable_disconnect_grace()->set_nanos(500'000'000);
  claims.terms.set_max_calls(200);
  claims.terms.mutable_break_glass()->set_seconds(300);
  claims.terms.set_bind(types::v1::BIND_MODE_ADDRESS);
  claims.terms.set_open(types::v1::OPEN_MODE_REQUEST);
  claims.terms.mutable_approval()->add_approvers("okta:leads");
  claims.terms.mutable_approval()->set_count(2);
  return claims;
}

GrantVerifier Verifier(const std::string& agent = "edge", const std::string& deployment = "d1") {
  return GrantVerifier(deployment, agent, jose::KeySet::Parse(JwksOf({Key().Jwk()})).value());
}

std::string Grant(const json& changes = json::object(), const json& header = json::object()) {
  json claims = GrantClaimsToJson(Claims());
  claims["jti"] = "j";
  for (const auto& [name, value] : changes.items()) {
    if (value.is_null()) {
      claims.erase(name);
    } else {
      claims[name] = value;
    }
  }
  json whole = {{"typ", kGrantType}};
  whole.update(header);
  return Key().Token(claims, whole);
}

types::v1::DenialReason Refusal(const std::string& token, absl::Time now = kNow) {
  return ReasonOf(Verifier().Verify(token, now).status());
}

TEST_CASE("a grant says again what was put into it", "[grant]") {
  const auto verified = Verifier().Verify(Grant(), kNow);
  INFO(verified.status().ToString());
  REQUIRE(verified.ok());
  const GrantClaims want = Claims();
  CHECK(verified->deployment_id == want.deployment_id);
  CHECK(verified->session_id == want.session_id);
  CHECK(verified->agent == want.agent);
  CHECK(verified->server == want.server);
  CHECK(verified->issuer_id == want.issuer_id);
  CHECK(verified->client_address == want.client_address);
  CHECK(verified->call_budget == want.call_budget);
  CHECK(verified->opened_at == want.opened_at);
  CHECK(verified->expires_at == want.expires_at);
  CHECK(verified->issued_at == want.issued_at);
  CHECK(verified->policy_epoch == want.policy_epoch);
  CHECK(verified->policy_version == want.policy_version);
  CHECK(verified->principal.SerializeAsString() == want.principal.SerializeAsString());
  CHECK(verified->terms.SerializeAsString() == want.terms.SerializeAsString());
}

TEST_CASE("a grant for another agent, deployment or type is refused", "[grant]") {
  CHECK(Verifier("other").Verify(Grant(), kNow).status().code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK_FALSE(Verifier("edge", "d2").Verify(Grant(), kNow).ok());
  CHECK_FALSE(Verifier("edg").Verify(Grant(), kNow).ok());
  for (const char* type : {"JWT", "at+jwt", "sallyport-grant", "sallyport-grant+jwt2"}) {
    CHECK(Refusal(Grant({}, {{"typ", type}})) == DENIAL_REASON_TOKEN_INVALID);
  }
  CHECK(Refusal(Key().Token(GrantClaimsToJson(Claims()))) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(Grant({{"aud", {"sallyport-agent:edge"}}})) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(Grant({{"iss", "https://acme.okta.com"}})) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(
            TestKey("ES256", "grant").Token(GrantClaimsToJson(Claims()), {{"typ", kGrantType}})) ==
        DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(
            TestKey("RS256", "grant").Token(GrantClaimsToJson(Claims()), {{"typ", kGrantType}})) ==
        DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(Grant({}, {{"kid", "other"}})) == DENIAL_REASON_TOKEN_INVALID);
}

TEST_CASE("a grant ends to the second, without skew", "[grant]") {
  const absl::Time end = Claims().expires_at;
  CHECK(Verifier().Verify(Grant(), end - absl::Seconds(1)).ok());
  CHECK(Refusal(Grant(), end) == DENIAL_REASON_SESSION_ENDED);
  CHECK(Refusal(Grant(), end + absl::Hours(1)) == DENIAL_REASON_SESSION_ENDED);
  // Our clock is behind the control plane's.
  CHECK(Verifier().Verify(Grant(), kNow - absl::Seconds(120)).ok());
  CHECK(Refusal(Grant(), kNow - absl::Seconds(121)) == DENIAL_REASON_TOKEN_INVALID);
}

TEST_CASE("every claim of a grant is required, in its own type", "[grant]") {
  const json whole = GrantClaimsToJson(Claims());
  for (const auto& [name, value] : whole.items()) {
    if (name == "nbf") continue;
    INFO(name);
    CHECK(Refusal(Grant({{name, nullptr}})) == DENIAL_REASON_TOKEN_INVALID);
    CHECK(Refusal(Grant({{name, json::array()}})) == DENIAL_REASON_TOKEN_INVALID);
  }
  for (const char* part : {"principal", "terms", "policy"}) {
    for (const auto& [name, value] : whole[part].items()) {
      INFO(part << "." << name);
      json changed = whole[part];
      changed.erase(name);
      // Without it, it had no approval, or no glass was broken.
      const bool may_be_left_out = name == "approval" || name == "break_glass";
      CHECK(Refusal(Grant({{part, changed}})) ==
            (may_be_left_out ? DENIAL_REASON_UNSPECIFIED : DENIAL_REASON_TOKEN_INVALID));
      changed[name] = true;
      CHECK(Refusal(Grant({{part, changed}})) == DENIAL_REASON_TOKEN_INVALID);
    }
  }
  CHECK(Refusal(Grant({{"call_budget", -1}})) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(Grant({{"call_budget", 1.5}})) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(Refusal(Grant({{"client_address", ""}})) == DENIAL_REASON_TOKEN_INVALID);
}

TEST_CASE("each changed bit of a grant refuses it", "[grant]") {
  const std::string good = Grant();
  const GrantVerifier verifier = Verifier();
  int accepted = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    accepted += verifier.Verify(changed, kNow).ok() ? 1 : 0;
  }
  CHECK(accepted == 0);
}

}  // namespace
}  // namespace sallyport
