// What is made of the claims of a token: the principal, its kind, and what policies may ask for.
#include "tests/unit/common/principal/identifying.h"

namespace sallyport {
namespace {

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
