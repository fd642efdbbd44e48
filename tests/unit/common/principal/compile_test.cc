#include <catch2/catch.hpp>

#include "common/config_file.h"
#include "common/principal/endpoint_url.h"
#include "common/principal/trusted_issuers.h"

namespace sallyport {
namespace {

config::v1::Issuer Entry(const std::string& yaml) {
  config::v1::Issuer entry;
  const absl::Status parsed = ParseConfig(yaml, "test.yaml", &entry);
  INFO(parsed.ToString());
  REQUIRE(parsed.ok());
  return entry;
}

std::string ErrorOf(const std::vector<std::string>& yamls,
                    const std::vector<std::string>& admin = {}) {
  std::vector<config::v1::Issuer> entries;
  for (const std::string& yaml : yamls) entries.push_back(Entry(yaml));
  const auto trusted = TrustedIssuers::Compile(entries, admin);
  return trusted.ok() ? "" : std::string(trusted.status().message());
}

TEST_CASE("what may not stand in an issuer entry is refused, naming entry and key", "[principal]") {
  struct Case {
    const char* rest;
    const char* error;
  };
  const std::vector<Case> cases = {
      {"", ""},
      {", realm: \"a:b\"", "realm:"},
      {", realm: UP", "realm:"},
      {", preset: okda", "preset: there is no \"okda\"; did you mean okta?"},
      {", token_kind: refresh_token", "token_kind:"},
      {", algs: [HS256]", "algs: \"HS256\""},
      {", algs: [none]", "algs: \"none\""},
      {", algs: [rs256]", "algs: \"rs256\""},
      {", algs: [RS256, RS256]", "algs: \"RS256\" twice"},
      {", algs: [RS256, PS256, ES256, ES384, EdDSA]", ""},
      {", clock_skew: 120s", ""},
      {", clock_skew: 121s", "clock_skew:"},
      {", max_lifetime: 0s", "max_lifetime:"},
      {", limits: {token_bytes: 16385}", "limits.token_bytes:"},
      {", limits: {json_depth: 33}", "limits.json_depth:"},
      {", jwks: {uri: \"https://i.example/k\", file: /k}", "jwks:"},
      {", jwks: {uri: \"http://i.example/k\"}", "jwks.uri:"},
      {", jwks: {stale_max: 25h}", "jwks.stale_max:"},
      {", jwks: {min_refresh: 500ms}", "jwks.min_refresh:"},
      {", token_kind: workload_id_token", "claims.bound:"},
      {", preset: github-actions",
       "claims.bound: the preset needs a value for \"repository_owner_id\""},
      {", preset: entra-v2", "claims.bound: the preset needs a value for \"tid\""},
      {", preset: gitlab-ci", "claims.bound:"},
      {", preset: aws-sts", "claims.bound:"},
      {", preset: kubernetes", ""},
      {", claims: {bound: [{path: [tid]}]}", "claims.bound: `equals`"},
      {", claims: {groups: [[\"\"]]}", "claims.groups:"},
      {", claims: {attributes: {\"a b\": [x]}}", "claims.attributes: \"a b\""},
      {", principal: {kind: robot}", "principal.kind:"},
      {", principal: {user_if: [{}]}", "principal.user_if:"},
      {", token_kind: id_token, principal: {kind: service}", "principal.kind:"},
  };
  for (const Case& c : cases) {
    INFO(c.rest);
    const std::string error = ErrorOf(
        {std::string("{id: i, issuer: \"https://i.example\", audiences: [a]") + c.rest + "}"});
    if (*c.error == '\0') {
      CHECK(error.empty());
    } else {
      CHECK(error.rfind(std::string("issuer \"i\": ") + c.error, 0) == 0);
    }
  }
  CHECK(ErrorOf({"{id: i, issuer: \"https://i.example\"}"}).rfind("issuer \"i\": audiences:", 0) ==
        0);
  CHECK(ErrorOf({"{id: i, issuer: \"https://i.example\", audiences: [a, a]}"})
            .rfind("issuer \"i\": audiences:", 0) == 0);
  CHECK(ErrorOf({"{id: I, issuer: \"https://i.example\", audiences: [a]}"})
            .rfind("issuer \"I\": id:", 0) == 0);
  CHECK(ErrorOf({"{id: i, issuer: \"http://i.example\", audiences: [a]}"})
            .rfind("issuer \"i\": issuer:", 0) == 0);
}

TEST_CASE("no two entries can take the same token", "[principal]") {
  const std::string a = "{id: a, issuer: \"https://i.example\", audiences: [x]}";
  CHECK(ErrorOf({a, "{id: b, issuer: \"https://i.example\", audiences: [\"y\"]}"}).empty());
  CHECK(ErrorOf({a, "{id: b, issuer: \"https://j.example\", audiences: [x]}"}).empty());
  CHECK(ErrorOf({a, "{id: b, issuer: \"https://i.example\", audiences: [\"y\", x]}"})
            .find("is also that of \"a\"") != std::string::npos);
  CHECK(ErrorOf({a, "{id: a, issuer: \"https://j.example\", audiences: [x]}"})
            .find("id stands twice") != std::string::npos);
}

TEST_CASE("admin audiences are disjoint from the rest and belong to one entry of a URL",
          "[principal]") {
  const std::string a = "{id: a, issuer: \"https://i.example\", audiences: [x]}";
  CHECK(ErrorOf({a}, {"admin"}).empty());
  CHECK(ErrorOf({a}, {"x"}).find("is one of admin_audiences") != std::string::npos);
  CHECK(ErrorOf({a}, {""}).find("admin_audiences") == 0);
  CHECK(ErrorOf({a, "{id: b, issuer: \"https://i.example\", audiences: [\"y\"]}"}, {"admin"})
            .find("only one access_token entry") != std::string::npos);
  CHECK(ErrorOf(
            {a, "{id: b, issuer: \"https://i.example\", audiences: [\"y\"], token_kind: id_token}"},
            {"admin"})
            .empty());
}

TEST_CASE("realms have people where people can sign in", "[principal]") {
  const std::vector<config::v1::Issuer> entries = {
      Entry("{id: bots, issuer: \"https://i.example\", audiences: [x]}"),
      Entry("{id: people, issuer: \"https://j.example\", audiences: [x], token_kind: id_token}"),
      Entry("{id: k8s, issuer: \"https://k.example\", audiences: [x], preset: kubernetes}"),
  };
  const auto without = TrustedIssuers::Compile(entries).value();
  CHECK(without->HasRealm("bots"));
  CHECK_FALSE(without->HasRealm("nobody"));
  CHECK_FALSE(without->RealmHasPeople("bots"));
  CHECK(without->RealmHasPeople("people"));
  const auto with = TrustedIssuers::Compile(entries, {"admin"}).value();
  CHECK(with->RealmHasPeople("bots"));
  CHECK_FALSE(with->RealmHasPeople("k8s"));
  CHECK(with->AuthorizationServers() ==
        std::vector<std::string>{"https://i.example", "https://k.example"});
}

TEST_CASE("http is for literal loopback addresses alone", "[principal]") {
  for (const char* url : {"https://i.example", "https://i.example:8443/a?b=c",
                          "http://127.0.0.1:9080/x", "http://127.9.9.9", "http://[::1]:80/x"}) {
    INFO(url);
    CHECK(CheckEndpointUrl(url).ok());
  }
  for (const char* url : {"",
                          "i.example",
                          "ftp://i.example",
                          "HTTPS://i.example",
                          "https://",
                          "https:///x",
                          "http://i.example",
                          "http://localhost",
                          "http://localhost.",
                          "http://127.1",
                          "http://0x7f.0.0.1",
                          "http://0177.0.0.1",
                          "http://2130706433",
                          "http://[::ffff:127.0.0.1]",
                          "http://127.0.0.1.evil.example",
                          "http://127.0.0.1@evil.example",
                          "https://u:p@i.example",
                          "https://i.example/#x",
                          "https://i.example/ x",
                          "https://i.example\\x",
                          "https://i.example:99999999",
                          "https://i.example:",
                          "https://\xc3\xa9.example",
                          "http://169.254.169.254",
                          "https://[::1"}) {
    INFO(url);
    CHECK_FALSE(CheckEndpointUrl(url).ok());
  }
  CHECK(HostOf("https://i.example:8443/a") == "i.example");
  CHECK(HostOf("http://[::1]:80/x") == "::1");
}

}  // namespace
}  // namespace sallyport
