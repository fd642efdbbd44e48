#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

CallDecision Read(const SessionPolicy& policy, std::string_view uri) {
  return policy.EvaluateCall({.method = "resources/read", .target = uri}, kNow);
}

CallDecision Complete(const SessionPolicy& policy, std::string_view uri_template) {
  return policy.EvaluateCall(
      {.method = "completion/complete", .target = uri_template, .ref_is_resource = true}, kNow);
}

TEST_CASE("no spelling of a uri slips past a denial whose pattern is spelled in another way",
          "[policy][call]") {
  struct Row {
    const char* pattern;
    const char* uri;
  };
  const Row row = GENERATE(
      Row{"file:///my%20docs/**", "file:///my%20docs/a"},
      Row{"file:///my%20docs/**", "file:///my docs/a"},
      Row{"file:///my%20docs/**", "file:///m%79%20docs/a"},
      Row{"file:///my%20docs/**", "file:///%256dy%20docs//a"},
      Row{"file:///my docs/*", "file:///my%20docs/a"}, Row{"db://x/a%2Fb", "db://x/a%2fb"},
      Row{"db://x/a%2Fb", "db://x/%61%2Fb"}, Row{"file:///a//b", "file:///a/b"},
      Row{"file:///a\\b", "file:///a/b"}, Row{"file:///\uff53ecret/*", "file:///secret/x"});
  INFO(row.pattern << " against " << row.uri);
  for (const char* effect : {"deny: {resources: ['",
                             "require_approval: {approvers: [okta:x], "
                             "resources: ['"}) {
    const auto policy =
        Bound(BotPolicy(std::string("  rules:\n    - allow: {resources: [\"*\"]}\n") + "    - " +
                        effect + row.pattern + "']}"));
    CHECK(Read(*policy, row.uri).verdict != Verdict::kAllow);
    CHECK(Read(*policy, "file:///other").verdict == Verdict::kAllow);
  }
}

TEST_CASE("no spelling of a host slips past a denial", "[policy][call]") {
  struct Row {
    const char* pattern;
    const char* uri;
  };
  const Row row = GENERATE(Row{"https://internal.example/**", "https://INTERNAL.example/x"},
                           Row{"https://internal.example/**", "https://internal.example:443/x"},
                           Row{"https://internal.example/**", "https://internal.example:0443/x"},
                           Row{"https://internal.example/**", "https://u@internal.example/x"},
                           Row{"https://internal.example/**", "https://internal.example./x"},
                           Row{"https://internal.example/**", "https://%49nternal.example%2e/x"},
                           Row{"https://internal.example/**", "https://internal.example"},
                           Row{"https://internal.example/**", "https://internal.example?x"},
                           Row{"https://internal.example/**", "https:\\\\internal.example\\x"},
                           Row{"https://internal.example/**", "https:internal.example/x"},
                           Row{"https://internal.example/**", "https:////internal.example/x"},
                           Row{"https://INTERNAL.example:443/**", "https://internal.example/x"},
                           Row{"https://internal.example", "https://Internal.example/"},
                           Row{"*://INTERNAL.example/**", "https://internal.example/x"},
                           Row{"http*://internal.example:443/**", "https://internal.example/x"},
                           Row{"https://*.EXAMPLE/**", "https://internal.example/x"},
                           Row{"http://127.0.0.1/**", "http://2130706433/x"},
                           Row{"http://127.0.0.1/**", "http://127.1/x"},
                           Row{"http://127.0.0.1/**", "http://0X7f.1/x"},
                           Row{"http://127.0.0.1/**", "http://[::ffff:127.0.0.1]:80/x"},
                           Row{"http://[::1]/**", "http://[0:0:0:0:0:0:0:1]/x"},
                           Row{"postgres://db/**", "postgres://u:p@DB/x"},
                           Row{"postgres://u@db/**", "postgres://u@DB/x"},
                           Row{"file:///secret/**", "file://localhost/secret/x"},
                           Row{"file:///secret/**", "file://elsewhere/secret/x"},
                           Row{"file:///secret/**", "file:/secret/x"},
                           Row{"file://localhost/secret/**", "file:///secret/x"});
  INFO(row.pattern << " against " << row.uri);
  const auto policy = Bound(BotPolicy(std::string("  rules:\n    - allow: {resources: [\"*\"]}\n") +
                                      "    - deny: {resources: [\"" + row.pattern + "\"]}"));
  CHECK(Read(*policy, row.uri).verdict == Verdict::kDeny);
}

TEST_CASE("nothing that no server is asked for slips a uri past a denial", "[policy][call]") {
  struct Row {
    const char* pattern;
    const char* uri;
  };
  const Row row = GENERATE(Row{"file:///etc/passwd", "file:///etc/passwd#"},
                           Row{"file:///etc/passwd", "file:///etc/passwd#x/y"},
                           Row{"file:///etc/passwd", "file:///etc/passwd?"},
                           Row{"file:///etc/passwd", "file:///etc/passwd?x=1#y"},
                           Row{"file:///etc/passwd", "file:///etc/passwd%23x"},
                           Row{"file:///etc/passwd", "file:///etc/passwd%3fx"},
                           Row{"file:///etc/passwd", "file:///etc/passwd%2523"},
                           Row{"file:///etc/passwd", "file:///etc/passwd\uff03"},
                           Row{"file:///etc/passwd", "file:/etc//passwd?"},
                           Row{"file:///etc/passwd", " file:///etc/passwd"},
                           Row{"file:///etc/passwd", "file:///etc/passwd "},
                           Row{"file:///etc/passwd", "  FILE:///etc/passwd#x  "},
                           Row{"file:///etc/passwd", "%20file:///etc/passwd%20"},
                           Row{"file:///etc/passwd", "\u3000file:///etc/passwd\u00a0"},
                           Row{"https://host.example/admin", "https://host.example/admin#x"},
                           Row{"https://host.example/admin", "https://host.example/admin?"},
                           Row{"https://host.example/admin", "https://HOST.example:443//admin?#"},
                           Row{"https://host.example/admin", " https://host.example/admin"},
                           Row{"https://host.example/adm/*", "https://host.example/adm/x#/y"},
                           Row{"https://host.example/", "https://host.example#/y"},
                           Row{"db://main/users", "db://main/users#"},
                           Row{"db://main/users", "db://main/users?#x"},
                           Row{"db://main/users ", "db://main/users"},
                           Row{"db://main/users#ssn", "db://main/users#ssn"});
  INFO(row.pattern << " against " << row.uri);
  for (const char* effect :
       {"deny: {resources: ['", "require_approval: {approvers: [okta:x], resources: ['"}) {
    const auto policy =
        Bound(BotPolicy(std::string("  rules:\n    - allow: {resources: [\"*\"]}\n") + "    - " +
                        effect + row.pattern + "']}"));
    CHECK(Read(*policy, row.uri).verdict != Verdict::kAllow);
    CHECK_FALSE(Read(*policy, "db://main/other?x#y").verdict != Verdict::kAllow);
  }
}

TEST_CASE("what of a uri reaches a server is what is granted", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {resources: ["https://host.example/*/public", "file:///docs/**", "file:///a#b", "file:///q?x", "https://host.example/api?x=*"]}
    - deny: {resources: ["file:///docs/c#d", "https://host.example/api?x=secret"]})"));
  CHECK(Read(*policy, "file:///docs/a#b?c").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "file:///docs/C%23/notes.md").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "file:///a#b").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "file:///q?x").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "https://host.example/api?x=1").verdict == Verdict::kAllow);
  // A denial of a fragment is of that fragment alone.
  CHECK(Read(*policy, "file:///docs/c").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "file:///docs/c#d ").verdict == Verdict::kDeny);
  const char* other = GENERATE("https://host.example/secret#/public", "file:///a", "file:///q",
                               "https://host.example/secret%23/public", "file:///a#b ");
  INFO(other);
  CHECK(Read(*policy, other).verdict == Verdict::kHidden);
}

TEST_CASE("a denial by host is about that host alone", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {resources: ["*"]}
    - deny: {resources: ["https://internal.example/**", "postgres://admin@db/**"]})"));
  const char* uri = GENERATE(
      "https://external.example/x", "https://internal.example:8443/x", "http://internal.example/x",
      "https://external.example/internal.example/x", "https://internal.example@external.example/x",
      "postgres://reader@db/x", "postgres://db/x");
  INFO(uri);
  CHECK(Read(*policy, uri).verdict == Verdict::kAllow);
}

TEST_CASE("a host on the web that is not ASCII is refused: it has another spelling",
          "[policy][call]") {
  const auto policy = Bound(BotPolicy("  rules: [{allow: {resources: [\"*\"]}}]"));
  CHECK(Read(*policy, "https://b\u00fcro.example/x").verdict == Verdict::kDeny);
  CHECK(Read(*policy, "https://b%C3%BCro.example/x").verdict == Verdict::kDeny);
  CHECK(Read(*policy, "https://xn--bro-hoa.example/b\u00fcro").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "wiki://b\u00fcro/x").verdict == Verdict::kAllow);
}

TEST_CASE("an encoded uri is allowed by its very own text, and by no other", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {resources: ["file:///my%20docs/*", "db://x/a%2Fb", "file:///a//b",
                          "https://u@Host.example:443/**"]})"));
  CHECK(Read(*policy, "file:///my%20docs/a").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "db://x/a%2Fb").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "file:///a//b").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "https://u@Host.example:443/%61").verdict == Verdict::kAllow);
  const char* other = GENERATE("file:///my%20docs/a%2Fb", "db://x/a/b", "file:///a/b",
                               "file:///my docs/a", "https://host.example/a");
  INFO(other);
  CHECK(Read(*policy, other).verdict == Verdict::kHidden);
}

TEST_CASE("an encoded star is no star, and a star cuts no encoded character", "[policy]") {
  const auto policy = Bound(BotPolicy("  rules: [{allow: {resources: [\"a:%2a\"]}}]"));
  CHECK(Read(*policy, "a:%2a").verdict == Verdict::kAllow);
  CHECK(Read(*policy, "a:b").verdict == Verdict::kHidden);
  const std::string pattern = GENERATE("a:%*", "a:%2*", "a:x%**");
  const auto parsed = ParseDocuments(
      BotPolicy("  rules: [{deny: {resources: [\"" + pattern + "\"]}}]"), "test.yaml");
  INFO(pattern << " " << parsed.status());
  REQUIRE_FALSE(parsed.ok());
  CHECK(std::string(parsed.status().message()).find("cuts an encoded character") !=
        std::string::npos);
}

TEST_CASE("a template all of which is denied is neither shown nor completed", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {resources: ["**"], methods: ["completion/complete"]}
    - deny: {resources: ["file:///secret/**", "file:///flat/*", "https://internal.example/**"]})"));
  const char* shut = GENERATE("file:///secret/{n}", "file:///secret/sub/{n}", "file:///secret/{+p}",
                              "file:///%73ecret/{n}", "file:///secret/a", "file:///flat/{n}",
                              "FILE:///secret//{n}", "https://INTERNAL.example:443/{+path}",
                              "file:///secret/{n}#{x}", " file:///secret/{n}");
  INFO(shut);
  CHECK(Complete(*policy, shut).verdict == Verdict::kDeny);
  CHECK(Complete(*policy, shut).rule == 1);
  CHECK_FALSE(policy->ShowsResourceTemplate(shut, kNow));
  const char* open = GENERATE("file:///{n}", "file:///{+p}", "{+uri}", "file:///flat/{+p}",
                              "file:///flat/{n}/{m}", "file:///secre{n}", "file:///%66lat/{n}");
  INFO(open);
  CHECK(Complete(*policy, open).verdict == Verdict::kAllow);
  CHECK(policy->ShowsResourceTemplate(open, kNow));
}

TEST_CASE("a template all of which needs an approval is shown, and not completed",
          "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {resources: ["**"], methods: ["completion/complete"]}
    - require_approval: {resources: ["file:///approve/**"], approvers: [okta:x]})"));
  const char* uri = GENERATE("file:///approve/{n}", "file:///approve/sub/{n}", "file:///approve/x");
  INFO(uri);
  CHECK(Complete(*policy, uri).verdict == Verdict::kDeny);
  CHECK(Complete(*policy, uri).rule == 1);
  CHECK(policy->ShowsResourceTemplate(uri, kNow));
  CHECK(Complete(*policy, "file:///public/{n}").verdict == Verdict::kAllow);
  const auto by_part = Bound(BotPolicy(R"(  rules:
    - allow: {methods: ["completion/complete"]}
    - require_approval: {resources: ["file:///approve/**"], approvers: [okta:x]})"));
  CHECK(by_part->ShowsResourceTemplate("file:///{+p}", kNow));
  CHECK(Complete(*by_part, "file:///{+p}").verdict == Verdict::kHidden);
}

}  // namespace
}  // namespace sallyport
