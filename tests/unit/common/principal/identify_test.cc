#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/config_file.h"
#include "common/denial.h"
#include "common/principal/trusted_issuers.h"
#include "tests/fakes/test_key.h"

namespace sallyport {
namespace {

using nlohmann::json;
using types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE;
using types::v1::DENIAL_REASON_TOKEN_EXPIRED;
using types::v1::DENIAL_REASON_TOKEN_INVALID;
using types::v1::DENIAL_REASON_TOKEN_MISSING;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const std::string kIssuer = "https://acme.okta.com/oauth2/aus1";
const std::string kPeopleIssuer = "https://acme.okta.com";

const TestKey& Key() {
  static auto& key = *new TestKey("RS256", "k1");
  return key;
}

config::v1::Issuer Entry(const std::string& yaml) {
  config::v1::Issuer entry;
  const absl::Status parsed = ParseConfig(yaml, "test.yaml", &entry);
  INFO(parsed.ToString());
  REQUIRE(parsed.ok());
  return entry;
}

config::v1::Issuer Okta() {
  return Entry("{id: okta, issuer: \"" + kIssuer +
               "\", audiences: [\"api://sallyport\"], preset: okta}");
}
config::v1::Issuer People() {
  return Entry("{id: okta-people, realm: okta, issuer: \"" + kPeopleIssuer +
               "\", audiences: [0oa1people], preset: okta, token_kind: id_token}");
}

std::shared_ptr<const TrustedIssuers> Trust(const std::vector<config::v1::Issuer>& entries,
                                            const std::vector<std::string>& admin = {}) {
  auto trusted = TrustedIssuers::Compile(entries, admin);
  INFO(trusted.status().ToString());
  REQUIRE(trusted.ok());
  return *std::move(trusted);
}

KnownKeys Keys(std::initializer_list<json> jwks = {Key().Jwk()}, absl::Time fetched_at = kNow) {
  auto set = jose::KeySet::Parse(JwksOf(jwks));
  REQUIRE(set.ok());
  return {std::make_shared<const jose::KeySet>(*std::move(set)), fetched_at};
}

// A service's token as Okta's custom authorization server makes it.
json ServiceClaims(const json& changes = json::object()) {
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

Result Identify(const TrustedIssuers& trusted, const std::string& token,
                const Presentation& presentation = {}, KnownKeys keys = Keys()) {
  return trusted.Identify(
      token, presentation, [&](std::string_view) { return keys; }, kNow);
}
Result IdentifyService(const json& changes, const json& header = json::object()) {
  return Identify(*Trust({Okta()}), Key().Token(ServiceClaims(changes), header));
}

// The refusal's detail; empty when the token was accepted.
std::string DetailOf(const Result& result) {
  const auto* refusal = std::get_if<TokenRefusal>(&result);
  return refusal == nullptr ? "" : refusal->detail;
}
types::v1::DenialReason ReasonOfResult(const Result& result) {
  const auto* refusal = std::get_if<TokenRefusal>(&result);
  return refusal == nullptr ? types::v1::DENIAL_REASON_UNSPECIFIED : refusal->reason;
}
Identity Accepted(const Result& result) {
  INFO(DetailOf(result));
  REQUIRE(std::holds_alternative<Identity>(result));
  return std::get<Identity>(result);
}

TEST_CASE("an Okta service is identified whole", "[principal]") {
  const Identity identity = Accepted(IdentifyService({{"groups",
                                                       {"deployers",
                                                        "gr\xc3\xbc"
                                                        "n",
                                                        "deployers"}}}));
  CHECK(identity.principal.realm() == "okta");
  CHECK(identity.principal.kind() == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(identity.principal.subject() == "0oa1deploy");
  CHECK(identity.principal.client_id() == "0oa1deploy");
  CHECK(identity.principal.scopes_size() == 1);
  CHECK(identity.principal.scopes(0) == "mcp.use");
  REQUIRE(identity.principal.groups_size() == 2);
  CHECK(identity.principal.groups(0) == "okta:deployers");
  CHECK(identity.issuer_id == "okta");
  CHECK(identity.token_id == "AT.1");
  CHECK(identity.audience == "api://sallyport");
  CHECK(identity.may_access);
  CHECK_FALSE(identity.may_manage);
  CHECK(identity.issued_at == absl::FromUnixSeconds(1'799'999'900));
  CHECK(identity.expires_at == absl::FromUnixSeconds(1'800'003'530));
}

TEST_CASE("claims that policies may ask for keep their types, and absent ones have no value",
          "[principal]") {
  config::v1::Issuer issuer = Okta();
  auto& attributes = *issuer.mutable_claims()->mutable_attributes();
  for (const char* name : {"team", "level", "verified", "absent"}) {
    attributes[name].add_members(name);
  }
  attributes["depth"].add_members("deep");
  attributes["depth"].add_members("er");
  const auto identify = [&](const json& changes) {
    return Identify(*Trust({issuer}), Key().Token(ServiceClaims(changes)));
  };
  const Identity identity = Accepted(identify(
      {{"team", {"pay", "risk", 7}}, {"level", -3}, {"verified", true}, {"deep", {{"er", "x"}}}}));
  std::string all;
  for (const types::v1::Claim& claim : identity.principal.claims()) {
    all += claim.name() + ":";
    for (const types::v1::Scalar& value : claim.values()) {
      all += value.has_text()     ? " \"" + value.text() + "\""
             : value.has_number() ? " " + value.number()
                                  : (value.flag() ? " true" : " false");
    }
    all += "; ";
  }
  CHECK(all == "depth: \"x\"; level: -3; team: \"pay\" \"risk\" 7; verified: true; ");
  for (const json& wrong :
       {json{{"level", 1.5}}, json{{"team", {{"a", 1}}}}, json{{"team", {{"x"}}}},
        json{{"verified", ""}}, json{{"deep", "flat"}}}) {
    INFO(wrong);
    CHECK(ReasonOfResult(identify(wrong)) == types::v1::DENIAL_REASON_TOKEN_INVALID);
  }
}

TEST_CASE("a person is the same subject under an access token and an ID token", "[principal]") {
  const auto trusted = Trust({Okta(), People()}, {"api://sallyport-admin"});
  const Presentation people{.door = Door::kPeople};
  const Identity by_access =
      Accepted(Identify(*trusted,
                        Key().Token(ServiceClaims({{"aud", "api://sallyport-admin"},
                                                   {"sub", "alice@example.com"},
                                                   {"uid", "00u1"},
                                                   {"cid", "0oa1cli"}})),
                        people));
  const Identity by_id =
      Accepted(Identify(*trusted,
                        Key().Token({{"iss", kPeopleIssuer},
                                     {"aud", "0oa1people"},
                                     {"sub", "00u1"},
                                     {"jti", "ID.1"},
                                     {"nonce", "n"},
                                     {"iat", 1'799'999'900},
                                     {"exp", 1'800'003'500},
                                     {"groups", {"approvers"}},
                                     {"preferred_username", "alice@example.com"}}),
                        people));
  for (const Identity& identity : {by_access, by_id}) {
    CHECK(identity.principal.realm() == "okta");
    CHECK(identity.principal.kind() == types::v1::PRINCIPAL_KIND_USER);
    CHECK(identity.principal.subject() == "00u1");
    CHECK(identity.may_manage);
  }
  CHECK_FALSE(by_access.may_access);
  CHECK(by_id.may_access);
  CHECK(by_id.principal.client_id() == "0oa1people");
  CHECK(by_id.principal.groups(0) == "okta:approvers");
  CHECK(by_id.principal.display() == "alice@example.com");
}

TEST_CASE("hostile claims are refused, each for its own reason", "[principal]") {
  struct Case {
    const char* name;
    json changes;
    const char* detail;
  };
  const std::string long_name(1025, 'a');
  const std::vector<Case> cases = {
      {"iss with a slash behind", {{"iss", kIssuer + "/"}}, "iss is not trusted"},
      {"iss in another case", {{"iss", "https://ACME.okta.com/oauth2/aus1"}}, "iss is not trusted"},
      {"iss with port 443",
       {{"iss", "https://acme.okta.com:443/oauth2/aus1"}},
       "iss is not trusted"},
      {"iss over http", {{"iss", "http://acme.okta.com/oauth2/aus1"}}, "iss is not trusted"},
      {"iss with a user", {{"iss", "https://x@acme.okta.com/oauth2/aus1"}}, "iss is not trusted"},
      {"iss with a full-width dot",
       {{"iss", "https://acme\xef\xbc\x8eokta.com/oauth2/aus1"}},
       "iss is not trusted"},
      {"iss of another server",
       {{"iss", "https://acme.okta.com/oauth2/aus2"}},
       "iss is not trusted"},
      {"iss cut short", {{"iss", "https://acme.okta.com/oauth2/aus"}}, "iss is not trusted"},
      {"iss with a NUL", {{"iss", kIssuer + std::string(1, '\0')}}, "iss is not trusted"},
      {"iss of the org server", {{"iss", kPeopleIssuer}}, "iss is not trusted"},
      {"no iss", {{"iss", nullptr}}, "iss is missing"},
      {"iss is a list", {{"iss", {kIssuer}}}, "iss is missing or no string"},
      {"no aud", {{"aud", nullptr}}, "aud is missing"},
      {"another aud", {{"aud", "api://other"}}, "aud is for nobody here"},
      {"aud in another case", {{"aud", "API://sallyport"}}, "aud is for nobody here"},
      {"aud cut short", {{"aud", "api://sally"}}, "aud is for nobody here"},
      {"aud with a slash behind", {{"aud", "api://sallyport/"}}, "aud is for nobody here"},
      {"aud as a list in a list", {{"aud", {{"api://sallyport"}}}}, "aud has a member"},
      {"aud is a number", {{"aud", 1}}, "aud is neither"},
      {"aud of several others", {{"aud", {"a", "b"}}}, "aud is for nobody here"},
      {"exp over", {{"exp", 1'799'999'970}}, "token has expired"},
      {"no exp", {{"exp", nullptr}}, "exp is missing"},
      {"exp negative", {{"exp", -1000}}, "exp is out of range"},
      {"exp as text", {{"exp", "1800003500"}}, "exp is no number"},
      {"exp far away", {{"exp", 1'800'000'000 + 86'400}}, "exp is too long after iat"},
      {"no iat", {{"iat", nullptr}}, "iat is missing"},
      {"iat in the future", {{"iat", 1'800'000'031}}, "iat is in the future"},
      {"nbf in the future", {{"nbf", 1'800'000'031}}, "nbf is in the future"},
      {"nonce", {{"nonce", "n"}}, "an ID token"},
      {"at_hash", {{"at_hash", "n"}}, "an ID token"},
      {"c_hash", {{"c_hash", "n"}}, "an ID token"},
      {"s_hash", {{"s_hash", "n"}}, "an ID token"},
      {"jti of an ID token", {{"jti", "ID.1"}}, "an ID token"},
      {"events", {{"events", json::object()}}, "an event or logout token"},
      {"Keycloak refresh token", {{"typ", "Refresh"}}, "no bearer token"},
      {"Keycloak ID token", {{"typ", "ID"}}, "an ID token"},
      {"cnf", {{"cnf", {{"jkt", "x"}}}}, "token is bound to a proof"},
      {"no sub", {{"sub", nullptr}}, "sub is missing"},
      {"sub empty", {{"sub", ""}}, "sub is empty"},
      {"sub is a number", {{"sub", 7}}, "sub is no string"},
      {"sub with a line break", {{"sub", "a\nb"}}, "sub is empty, too long or has control"},
      {"sub too long", {{"sub", long_name}}, "sub is empty, too long"},
      {"uid is a list", {{"uid", {"00u1"}}}, "claim \"uid\" is no string"},
      {"uid empty", {{"uid", ""}}, "claim \"uid\" is empty"},
      {"no cid", {{"cid", nullptr}}, "no client id"},
      {"cid is a list", {{"cid", {"0oa1deploy"}}}, "claim \"cid\" is no string"},
      {"cid with a NUL",
       {{"cid", std::string("a\0b", 3)}},
       "claim \"cid\" is empty, too long or has control"},
      {"no jti", {{"jti", nullptr}}, "no token id"},
      {"jti is a number", {{"jti", 1}}, "claim \"jti\" is no string"},
      {"scp is a number", {{"scp", 1}}, "claim \"scp\" is no list"},
      {"scp with a number", {{"scp", {1}}}, "claim \"scp\" is no string"},
      {"groups is a string", {{"groups", "admins"}}, "claim \"groups\" is no list"},
      {"groups with an object", {{"groups", {json::object()}}}, "claim \"groups\" is no string"},
      {"groups with an empty one", {{"groups", {""}}}, "claim \"groups\" is empty"},
      {"groups with a control character",
       {{"groups", {"a\x01"}}},
       "claim \"groups\" is empty, too long or has control"},
      {"groups, too many",
       {{"groups", json::array_t(1001, json("g"))}},
       "claim \"groups\" has too many groups"},
      {"groups elsewhere", {{"_claim_names", {{"groups", "src1"}}}}, "groups are left out"},
      {"hasgroups", {{"hasgroups", true}}, "groups are left out"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const Result result = IdentifyService(c.changes);
    CHECK(DetailOf(result).rfind(c.detail, 0) == 0);
    const bool is_expiry = std::string_view(c.detail) == "token has expired";
    CHECK(ReasonOfResult(result) ==
          (is_expiry ? DENIAL_REASON_TOKEN_EXPIRED : DENIAL_REASON_TOKEN_INVALID));
  }
}

TEST_CASE("what OIDC allows is accepted", "[principal]") {
  CHECK_NOTHROW(Accepted(IdentifyService({{"aud", {"api://other", "api://sallyport"}}})));
  CHECK_NOTHROW(Accepted(IdentifyService({{"nbf", 0}})));
  CHECK_NOTHROW(Accepted(IdentifyService({{"exp", 1'800'003'500.5}})));
  CHECK(Accepted(IdentifyService({{"scp", "a  b "}})).principal.scopes_size() == 2);
  CHECK(Accepted(IdentifyService({{"scp", nullptr}})).principal.scopes_size() == 0);
  CHECK(Accepted(IdentifyService({{"groups", json::array()}})).principal.groups_size() == 0);
  CHECK_NOTHROW(Accepted(IdentifyService({}, {{"typ", "JWT"}})));
  CHECK_NOTHROW(Accepted(IdentifyService({}, {{"typ", "application/jwt"}})));
}

TEST_CASE("typ, alg and key are the entry's", "[principal]") {
  CHECK(DetailOf(IdentifyService({}, {{"typ", "at+jwt"}})) == "typ is not allowed");
  CHECK(DetailOf(IdentifyService({}, {{"typ", "sallyport-grant+jwt"}})) == "typ is not allowed");
  CHECK(DetailOf(IdentifyService({}, {{"typ", "logout+jwt"}})) == "typ is not allowed");
  const TestKey es("ES256", "k1");
  const auto trusted = Trust({Okta()});
  CHECK(DetailOf(Identify(*trusted, es.Token(ServiceClaims()), {}, Keys({es.Jwk()}))) ==
        "algorithm is not allowed");
  const TestKey other("RS256", "k1");
  CHECK(DetailOf(Identify(*trusted, other.Token(ServiceClaims()))) == "signature is wrong");
  config::v1::Issuer strict = Entry("{id: s, issuer: \"" + kIssuer +
                                    "\", audiences: [\"api://sallyport\"], preset: okta-rfc9068}");
  CHECK(DetailOf(Identify(*Trust({strict}), Key().Token(ServiceClaims()))) == "typ is not allowed");
}

TEST_CASE("an unknown key id is named, so that the keys can be asked for again", "[principal]") {
  const TestKey fresh("RS256", "k2");
  const Result result = Identify(*Trust({Okta()}), fresh.Token(ServiceClaims()));
  REQUIRE(std::holds_alternative<TokenRefusal>(result));
  const auto& refusal = std::get<TokenRefusal>(result);
  CHECK(refusal.unknown_key_id == "k2");
  CHECK(refusal.issuer_id == "okta");
  CHECK(refusal.reason == DENIAL_REASON_TOKEN_INVALID);
}

TEST_CASE("keys that are not there or too old make the issuer unavailable", "[principal]") {
  const auto trusted = Trust({Okta()});
  const std::string token = Key().Token(ServiceClaims());
  CHECK(ReasonOfResult(Identify(*trusted, token, {}, KnownKeys{})) ==
        DENIAL_REASON_ISSUER_UNAVAILABLE);
  CHECK(ReasonOfResult(Identify(*trusted, token, {},
                                Keys({Key().Jwk()}, kNow - absl::Hours(24) - absl::Seconds(1)))) ==
        DENIAL_REASON_ISSUER_UNAVAILABLE);
  CHECK(
      DetailOf(Identify(*trusted, token, {}, Keys({Key().Jwk()}, kNow - absl::Hours(24)))).empty());
  config::v1::Issuer from_file = Okta();
  from_file.mutable_jwks()->set_file("/etc/keys.json");
  CHECK(DetailOf(Identify(*Trust({from_file}), token, {}, Keys({Key().Jwk()}, absl::UnixEpoch())))
            .empty());
}

TEST_CASE("an issuer's key signs for that issuer alone", "[principal]") {
  config::v1::Issuer partner = Okta();
  partner.set_id("partner");
  partner.set_issuer("https://partner.example");
  const auto trusted = Trust({Okta(), partner});
  const TestKey partner_key("RS256", "k1");
  const auto keys_of = [&](std::string_view id) {
    return id == "partner" ? Keys({partner_key.Jwk()}) : Keys();
  };
  const auto detail = [&](const TestKey& key, const std::string& issuer) {
    return DetailOf(
        trusted->Identify(key.Token(ServiceClaims({{"iss", issuer}})), {}, keys_of, kNow));
  };
  CHECK(detail(Key(), kIssuer).empty());
  CHECK(detail(partner_key, "https://partner.example").empty());
  CHECK(detail(partner_key, kIssuer) == "signature is wrong");
  CHECK(detail(Key(), "https://partner.example") == "signature is wrong");
}

TEST_CASE("each door takes its own audiences", "[principal]") {
  config::v1::Issuer bound = Okta();
  bound.set_resource_bound(true);
  const std::vector<std::string> resources = {"https://mcp.example.com/wiki/mcp"};
  const Presentation agent{.door = Door::kAgent, .resource_uris = resources};
  const Presentation people{.door = Door::kPeople, .resource_uris = resources};
  const auto token = [](const json& aud) { return Key().Token(ServiceClaims({{"aud", aud}})); };
  const auto open = Trust({Okta()}, {"api://sallyport-admin"});
  CHECK(Accepted(Identify(*open, token(resources[0]), agent)).audience == resources[0]);
  CHECK_NOTHROW(Accepted(Identify(*open, token("api://sallyport"), agent)));
  CHECK(DetailOf(Identify(*open, token("https://mcp.example.com/other/mcp"), agent)) ==
        "aud is for nobody here");
  CHECK(DetailOf(Identify(*open, token("api://sallyport-admin"), agent)) ==
        "aud is for nobody here");
  CHECK(DetailOf(Identify(*open, token(resources[0]), people)) == "aud is for nobody here");
  const Identity access = Accepted(Identify(*open, token("api://sallyport"), people));
  CHECK((access.may_access && !access.may_manage));
  const Identity both =
      Accepted(Identify(*open, token({"api://sallyport-admin", "api://sallyport"}), people));
  CHECK((both.may_access && both.may_manage));

  const auto strict = Trust({bound});
  CHECK(DetailOf(Identify(*strict, token("api://sallyport"), agent)) == "aud is for nobody here");
  CHECK_NOTHROW(Accepted(Identify(*strict, token(resources[0]), agent)));
}

TEST_CASE("an ID token opens no server, and an access token is no ID token", "[principal]") {
  const auto trusted = Trust({People()});
  json claims = ServiceClaims({{"iss", kPeopleIssuer},
                               {"aud", "0oa1people"},
                               {"jti", "ID.1"},
                               {"scp", nullptr},
                               {"cid", nullptr}});
  CHECK(DetailOf(Identify(*trusted, Key().Token(claims))) ==
        "an ID token is for the people's API only");
  const Presentation people{.door = Door::kPeople};
  CHECK(DetailOf(Identify(*trusted, Key().Token(claims), people)).empty());
  const auto with = [&](const char* name, const json& value) {
    json changed = claims;
    changed[name] = value;
    return DetailOf(Identify(*trusted, Key().Token(changed), people));
  };
  CHECK(with("scp", {"x"}).rfind("an access token", 0) == 0);
  CHECK(with("jti", "AT.1").rfind("an access token", 0) == 0);
  CHECK(with("typ", "Bearer").rfind("an access token", 0) == 0);
  CHECK(with("azp", "0oa1other").rfind("an ID token that was made for another", 0) == 0);
  CHECK(DetailOf(Identify(*trusted, Key().Token(claims, {{"typ", "at+jwt"}}), people)) ==
        "typ is not allowed");
}

TEST_CASE("a token that fits two entries is refused", "[principal]") {
  config::v1::Issuer second = Okta();
  second.set_id("second");
  second.set_realm("other");
  second.set_audiences(0, "api://second");
  const auto trusted = Trust({Okta(), second});
  CHECK(DetailOf(Identify(*trusted, Key().Token(ServiceClaims(
                                        {{"aud", {"api://sallyport", "api://second"}}})))) ==
        "token fits two issuer entries");
  CHECK(Accepted(Identify(*trusted, Key().Token(ServiceClaims({{"aud", "api://second"}}))))
            .principal.realm() == "other");
}

TEST_CASE("the caller learns the reason and nothing else", "[principal]") {
  const auto message = [](const Result& result) {
    return std::get<TokenRefusal>(result).ToStatus().ToString();
  };
  const auto trusted = Trust({Okta()});
  const std::string invalid = message(Identify(*trusted, "nonsense"));
  CHECK(message(IdentifyService({{"iss", "https://x.example"}})) == invalid);
  CHECK(message(IdentifyService({{"aud", "x"}})) == invalid);
  CHECK(message(Identify(*trusted, TestKey("RS256", "k1").Token(ServiceClaims()))) == invalid);
  CHECK(message(Identify(*trusted, TestKey("RS256", "k2").Token(ServiceClaims()))) == invalid);
  CHECK(ReasonOf(std::get<TokenRefusal>(Identify(*trusted, "")).ToStatus()) ==
        DENIAL_REASON_TOKEN_MISSING);
  CHECK(ReasonOf(std::get<TokenRefusal>(IdentifyService({{"exp", 1}, {"iat", 0}})).ToStatus()) ==
        DENIAL_REASON_TOKEN_EXPIRED);
}

TEST_CASE("kinds follow the preset and the rules, and doubt makes a service", "[principal]") {
  const auto kind = [](const std::string& rules, const json& changes) {
    const auto entry = Entry("{id: i, issuer: \"" + kIssuer +
                             "\", audiences: [\"api://sallyport\"]" + rules + "}");
    return Accepted(Identify(*Trust({entry}), Key().Token(ServiceClaims(changes))))
        .principal.kind();
  };
  CHECK(kind("", {{"uid", "00u1"}}) == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(kind(", preset: okta", {{"uid", "00u1"}}) == types::v1::PRINCIPAL_KIND_USER);
  CHECK(kind(", preset: okta", {}) == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(kind(", principal: {kind: user}", {}) == types::v1::PRINCIPAL_KIND_USER);
  CHECK(kind(", principal: {kind: service}, preset: okta", {{"uid", "00u1"}}) ==
        types::v1::PRINCIPAL_KIND_SERVICE);
  const std::string rules =
      ", principal: {user_if: [{present: [amr]}], service_if: [{present: [gty]}]}";
  CHECK(kind(rules, {{"amr", {"mfa"}}}) == types::v1::PRINCIPAL_KIND_USER);
  CHECK(kind(rules, {{"amr", {"mfa"}}, {"gty", "cc"}}) == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(kind(", principal: {user_if: [{absent: [cc]}]}", {}) == types::v1::PRINCIPAL_KIND_USER);
}

TEST_CASE("claims are found by lists of member names, whatever the names hold", "[principal]") {
  const std::string entry =
      "{id: i, issuer: \"" + kIssuer +
      R"(", audiences: ["api://sallyport"], claims: {groups: [[realm_access, roles], ["https://example.com/roles"]], )"
      R"(client_id: [[kubernetes.io, serviceaccount, uid]], derived: [{path: [environment], prefix: "gh-env:"}]}})";
  const auto trusted = Trust({Entry(entry)});
  const json good = ServiceClaims({{"realm_access", {{"roles", {"a"}}}},
                                   {"https://example.com/roles", {"b"}},
                                   {"environment", "prod"},
                                   {"kubernetes.io", {{"serviceaccount", {{"uid", "u-1"}}}}}});
  const Identity identity = Accepted(Identify(*trusted, Key().Token(good)));
  CHECK(identity.principal.client_id() == "u-1");
  REQUIRE(identity.principal.groups_size() == 3);
  CHECK(identity.principal.groups(0) == "i:a");
  CHECK(identity.principal.groups(1) == "i:b");
  CHECK(identity.principal.groups(2) == "i:gh-env:prod");
  const auto with = [&](const char* name, const json& value) {
    json changed = good;
    changed[name] = value;
    return DetailOf(Identify(*trusted, Key().Token(changed)));
  };
  CHECK(with("realm_access", "admin") == "claim \"roles\" has no object on its path");
  CHECK(with("environment", {"prod"}) == "claim \"environment\" is no string");
  CHECK(with("kubernetes.io", json::array()) == "claim \"uid\" has no object on its path");
}

TEST_CASE("bound claims must be there with the same value and type", "[principal]") {
  const auto detail = [](const std::string& equals, const json& value) {
    const auto entry = Entry(
        "{id: i, issuer: \"" + kIssuer +
        "\", audiences: [\"api://sallyport\"], claims: {bound: [{path: [tid], equals: " + equals +
        "}]}}");
    return DetailOf(Identify(*Trust({entry}), Key().Token(ServiceClaims({{"tid", value}}))));
  };
  CHECK(detail("8d1f", "8d1f").empty());
  CHECK(detail("8d1f", "8D1F") != "");
  CHECK(detail("8d1f", nullptr) != "");
  CHECK(detail("8d1f", {"8d1f"}) != "");
  CHECK(detail("\"true\"", "true").empty());
  CHECK(detail("\"true\"", true) != "");
  CHECK(detail("true", true).empty());
  CHECK(detail("true", "true") != "");
  CHECK(detail("7", 7).empty());
  CHECK(detail("7", "7") != "");
}

TEST_CASE("each preset maps a token as its provider makes them", "[principal]") {
  const json times = {{"iat", 1'799'999'900}, {"exp", 1'800'000'500}, {"aud", "api://sallyport"}};
  struct Case {
    const char* preset;
    const char* bound;
    const char* typ;  // null: absent
    json claims;
    const char* subject;
    const char* client;
    const char* group;  // null: none
  };
  const std::vector<Case> cases = {
      {"okta-rfc9068",
       "",
       "at+jwt",
       {{"sub", "s"}, {"client_id", "c"}, {"jti", "j"}, {"groups", {"g"}}},
       "s",
       "c",
       "i:g"},
      {"entra-v2",
       "{path: [tid], equals: t1}",
       "JWT",
       {{"sub", "s"}, {"oid", "o"}, {"azp", "c"}, {"uti", "u"}, {"tid", "t1"}, {"roles", {"r"}}},
       "o",
       "c",
       "i:r"},
      {"entra-v1",
       "",
       "JWT",
       {{"sub", "s"}, {"oid", "o"}, {"appid", "c"}, {"uti", "u"}, {"roles", {"r"}}},
       "o",
       "c",
       "i:r"},
      {"auth0",
       "",
       "JWT",
       {{"sub", "c@clients"}, {"azp", "c"}, {"permissions", {"p"}}},
       "c@clients",
       "c",
       "i:p"},
      {"auth0-rfc9068",
       "",
       "at+jwt",
       {{"sub", "c@clients"}, {"client_id", "c"}, {"jti", "j"}},
       "c@clients",
       "c",
       nullptr},
      {"keycloak",
       "",
       "JWT",
       {{"sub", "s"},
        {"azp", "c"},
        {"jti", "j"},
        {"typ", "Bearer"},
        {"realm_access", {{"roles", {"r"}}}}},
       "s",
       "c",
       "i:r"},
      {"google-sa",
       "",
       "JWT",
       {{"sub", "123"}, {"email", "x@p.iam.gserviceaccount.com"}, {"email_verified", true}},
       "123",
       "x@p.iam.gserviceaccount.com",
       nullptr},
      {"github-actions",
       "{path: [repository_owner_id], equals: \"7\"}",
       "JWT",
       {{"sub", "repo:o/r"},
        {"repository_id", "9"},
        {"jti", "j"},
        {"repository_owner_id", "7"},
        {"environment", "prod"}},
       "repo:o/r",
       "9",
       "i:gh-env:prod"},
      {"gitlab-ci",
       "{path: [namespace_id], equals: \"7\"}",
       "JWT",
       {{"sub", "p"},
        {"project_id", "9"},
        {"jti", "j"},
        {"namespace_id", "7"},
        {"ref_protected", "true"}},
       "p",
       "9",
       nullptr},
      {"kubernetes",
       "",
       nullptr,
       {{"sub", "system:serviceaccount:ns:n"},
        {"jti", "j"},
        {"kubernetes.io", {{"namespace", "ns"}, {"serviceaccount", {{"uid", "u"}}}}}},
       "system:serviceaccount:ns:n",
       "u",
       "i:k8s-ns:ns"},
      {"aws-sts",
       "{path: [\"https://sts.amazonaws.com/\", aws_account], equals: \"1\"}",
       "JWT",
       {{"sub", "arn:x"},
        {"jti", "j"},
        {"https://sts.amazonaws.com/",
         {{"aws_account", "1"}, {"principal_tags", {{"team", "blue"}}}}}},
       "arn:x",
       "arn:x",
       "i:aws-team:blue"},
      {"spiffe", "", nullptr, {{"sub", "spiffe://a/b"}}, "spiffe://a/b", "spiffe://a/b", nullptr},
  };
  for (const Case& c : cases) {
    INFO(c.preset);
    const std::string claims =
        *c.bound == '\0' ? "" : std::string(", claims: {bound: [") + c.bound + "]}";
    const auto trusted = Trust({Entry(
        std::string(
            "{id: i, issuer: \"https://i.example\", audiences: [\"api://sallyport\"], preset: ") +
        c.preset + claims + "}")});
    json payload = times;
    payload.update(c.claims);
    payload["iss"] = "https://i.example";
    const json header = c.typ == nullptr ? json::object() : json{{"typ", c.typ}};
    const Identity identity = Accepted(Identify(*trusted, Key().Token(payload, header)));
    CHECK(identity.principal.subject() == c.subject);
    CHECK(identity.principal.client_id() == c.client);
    CHECK(identity.principal.kind() == types::v1::PRINCIPAL_KIND_SERVICE);
    if (c.group == nullptr) {
      CHECK(identity.principal.groups_size() == 0);
    } else {
      REQUIRE(identity.principal.groups_size() >= 1);
      CHECK(identity.principal.groups(0) == c.group);
    }
  }
}

}  // namespace
}  // namespace sallyport
