#include "tests/unit/common/principal/identifying.h"

namespace sallyport {
namespace {

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

}  // namespace
}  // namespace sallyport
