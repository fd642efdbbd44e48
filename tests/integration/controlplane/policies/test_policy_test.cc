#include "controlplane/policies/test_policy.h"

#include <catch2/catch.hpp>

#include "common/file.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

constexpr const char* kPolicies = R"(kind: Policy
name: bots
spec:
  principals: [{realm: okta, client_ids: [bot], scopes: [mcp.use]}, {realm: okta, groups: [deployers]}]
  servers: [everything]
  session: {approval: {approvers: [okta:leads]}}
  rules:
    - allow: {tools: [echo], resources: ["file:///public/**"], prompts: [p], server_requests: [roots]}
    - allow: {tools: [deploy], when: [{path: /env, in: [staging]}, {path: /n/0, equals: 1000}]}
    - require_approval: {tools: [remove], approvers: [okta:a, okta:b], count: 2}
    - deny: {tools: [drop]}
---
kind: Policy
name: trial
spec:
  principals: [{realm: okta, claims: {team: pay, level: 3}}]
  servers: [trial]
  observe_until: 2027-02-01T00:00:00Z
  hours: [{days: [mon], from: "08:00", to: "17:00", zone: Europe/Berlin}]
  rules: [{allow: {tools: [echo]}}]
---
kind: Policy
name: night
spec:
  principals: [{realm: okta}]
  servers: [night]
  hours: [{from: "22:00", to: "06:00", zone: UTC}]
  rules: [{allow: {tools: ["*"]}}, {deny: {tools: [drop]}}]
---
kind: Lock
name: l
spec: {principal: {realm: okta, subject: locked}}
)";

constexpr const char* kBot = "{realm: okta, kind: service, client_id: bot, scopes: [mcp.use]}";

struct Files {
  TempDir dir;

  absl::StatusOr<std::vector<PolicyTestResult>> Run(const std::string& cases) {
    REQUIRE(WriteFileAtomically(dir / "policies.yaml", kPolicies).ok());
    REQUIRE(WriteFileAtomically(dir / "test.yaml",
                                "kind: PolicyTest\npolicies: [policies.yaml]\ncases:\n" + cases)
                .ok());
    return TestPolicy(dir / "test.yaml", kNow);
  }
};

std::string Case(const std::string& principal, const std::string& call, const std::string& expect) {
  return "  - {name: n, principal: " + principal + ", call: " + call + ", expect: " + expect +
         "}\n";
}

TEST_CASE("policy test decides each case without a server", "[policies]") {
  struct Row {
    std::string principal;
    std::string call;
    std::string expect;
  };
  const auto row = GENERATE(values<Row>({
      {kBot, "{server: everything, tool: echo}", "{decision: allow}"},
      {kBot, "{server: everything, method: tools/call, tool: drop}",
       "{decision: deny, reason: policy_denied}"},
      {kBot, "{server: everything, tool: unknown}", "{decision: deny, reason: policy_denied}"},
      {kBot, "{server: everything, tool: deploy, arguments: {env: staging, n: [1e3]}}",
       "{decision: allow}"},
      {kBot, "{server: everything, tool: deploy, arguments: {env: production, n: [1000]}}",
       "{decision: deny, reason: condition_failed}"},
      {kBot, "{server: everything, tool: deploy, arguments: {env: staging, n: [\"1000\"]}}",
       "{decision: deny, reason: condition_failed}"},
      {kBot,
       "{server: everything, tool: deploy, arguments_json: '{\"env\":\"staging\",\"n\":[1000.0]}'}",
       "{decision: allow}"},
      {kBot, "{server: everything, tool: remove}",
       "{decision: require_approval, approvers: [okta:b, okta:a]}"},
      {kBot, "{server: everything}", "{decision: require_approval, approvers: [okta:leads]}"},
      {kBot, "{server: everything, resource: file:///public/a/b}", "{decision: allow}"},
      {kBot, "{server: everything, resource: file:///public/../b}", "{decision: deny}"},
      {kBot, "{server: everything, prompt: p}", "{decision: allow}"},
      {kBot, "{server: everything, method: vendor/x}", "{decision: deny, reason: method_unknown}"},
      {kBot, "{server: everything, server_request: roots}", "{decision: allow}"},
      {kBot, "{server: everything, server_request: sampling}", "{decision: deny}"},
      {kBot, "{server: other, tool: echo}", "{decision: deny, reason: server_unknown}"},
      {"{realm: okta, kind: service, client_id: bot}", "{server: everything, tool: echo}",
       "{decision: deny, reason: scope_missing}"},
      {"{realm: okta, kind: user, subject: eve, groups: [deployers]}",
       "{server: everything, tool: echo}", "{decision: allow}"},
      {"{realm: okta, kind: user, subject: eve, groups: [\"okta:deployers\"]}",
       "{server: everything, tool: echo}", "{decision: allow}"},
      {"{realm: okta, kind: user, subject: locked, groups: [deployers]}",
       "{server: everything, tool: echo}", "{decision: deny, reason: locked}"},
      {kBot, "{server: everything, tool: echo}", "{decision: allow, policy: bots, rule: 0}"},
      {kBot, "{server: everything, tool: remove}", "{decision: require_approval, count: 2}"},
      {kBot, "{server: everything}", "{decision: require_approval, count: 1}"},
      {kBot, "{server: everything, tool: echo}", "{decision: allow, observed: false}"},
      {"{realm: okta, kind: user, subject: s, claims: {team: [ops, pay], level: 3}}",
       "{server: trial, tool: t}",
       "{decision: allow, policy: trial, observed: true}, at: 2027-01-20T00:00:00Z"},
      {"{realm: okta, kind: user, subject: s, claims: {team: [ops, pay], level: \"3\"}}",
       "{server: trial, tool: t}", "{decision: deny, reason: server_unknown}"},
      // At noon and at midnight.
      {kBot, "{server: night, tool: drop}",
       "{decision: deny, policy: night, rule: 1}, at: 2027-01-20T12:00:00Z"},
      {kBot, "{server: night, tool: echo}",
       "{decision: deny, policy: night, rule: 0}, at: 2027-01-20T12:00:00Z"},
      {kBot, "{server: night}", "{decision: deny}, at: 2027-01-20T12:00:00Z"},
      {kBot, "{server: night, tool: drop}",
       "{decision: deny, policy: night, rule: 1}, at: 2027-01-20T00:00:00Z"},
      {kBot, "{server: night, tool: echo}", "{decision: allow}, at: 2027-01-20T00:00:00Z"},
  }));
  INFO(row.principal << " " << row.call << " " << row.expect);
  Files files;
  const auto results = files.Run(Case(row.principal, row.call, row.expect));
  INFO(results.status());
  REQUIRE(results.ok());
  INFO((*results)[0].explanation);
  CHECK((*results)[0].has_passed);
}

TEST_CASE("a case that fails says what was expected and what came", "[policies]") {
  struct Row {
    std::string call;
    std::string expect;
    std::string says;
  };
  const auto row = GENERATE(values<Row>({
      {"{server: everything, tool: drop}", "{decision: allow}",
       "expected allow, got deny (policy_denied), decided by bots"},
      {"{server: everything, tool: drop}", "{decision: deny, reason: locked}",
       "expected deny (locked), got deny (policy_denied)"},
      {"{server: everything, tool: remove}", "{decision: require_approval, approvers: [okta:a]}",
       "by 2 of okta:a, okta:b"},
      {"{server: everything, tool: echo}", "{decision: deny}", "got allow"},
      {"{server: everything, tool: remove}", "{decision: require_approval, count: 1}",
       "expected require_approval by 1 of any, got require_approval by 2 of okta:a, okta:b"},
      {"{server: everything, tool: echo}", "{decision: allow, policy: trial}",
       "expected allow, decided by trial, got allow, decided by bots rules[0]"},
      {"{server: everything, tool: echo}", "{decision: allow, policy: bots, rule: 1}",
       "decided by bots rules[1], got allow, decided by bots rules[0]"},
      {"{server: everything, tool: echo}", "{decision: allow, observed: true}",
       "expected allow, observed, got allow"},
  }));
  INFO(row.call << " " << row.expect);
  Files files;
  const auto results =
      files.Run(Case(kBot, "{server: everything, tool: echo}", "{decision: allow}") +
                Case(kBot, row.call, row.expect));
  REQUIRE(results.ok());
  REQUIRE(results->size() == 2);
  CHECK((*results)[0].has_passed);
  CHECK_FALSE((*results)[1].has_passed);
  CHECK_THAT((*results)[1].explanation, Contains(row.says));
}

TEST_CASE("a policy file that is not there is told where the test names it", "[policies]") {
  Files files;
  REQUIRE(WriteFileAtomically(files.dir / "policies.yaml", kPolicies).ok());
  const std::string test = files.dir / "test.yaml";
  REQUIRE(
      WriteFileAtomically(test,
                          "kind: PolicyTest\npolicies:\n  - policies.yaml\n  - gone.yaml\n"
                          "cases:\n" +
                              Case(kBot, "{server: everything, tool: echo}", "{decision: allow}"))
          .ok());
  const auto results = TestPolicy(test, absl::Now());
  CHECK_THAT(std::string(results.status().message()),
             Catch::StartsWith(test + ":4: policies: ") && Contains(files.dir / "gone.yaml"));
}

TEST_CASE("a case is decided at the time that it names", "[policies]") {
  const auto results = [](const std::string& at, const std::string& expect) {
    Files files;
    const auto run = files.Run(
        "  - {name: n, principal: {realm: okta, kind: user, subject: s, claims: {team: pay, level: "
        "3}}, call: {server: trial, tool: echo}, at: " +
        at + ", expect: " + expect + "}\n");
    INFO(run.status());
    REQUIRE(run.ok());
    INFO((*run)[0].explanation);
    return (*run)[0].has_passed;
  };
  // Mondays after the trial: within the hours of Berlin, and before them.
  CHECK(results("2027-02-08T07:00:00Z", "{decision: allow, observed: false}"));
  CHECK(results("2027-02-08T06:59:59Z", "{decision: deny, reason: policy_denied}"));
  CHECK(results("2027-01-25T06:59:59Z", "{decision: allow, observed: true}"));
}

TEST_CASE("a case without a time that would go by the hour fails, whatever the hour",
          "[policies]") {
  Files files;
  const std::string trial = "{realm: okta, kind: user, subject: s, claims: {team: pay, level: 3}}";
  const std::string rest = ", call: {server: trial, tool: echo}, expect: ";
  REQUIRE(WriteFileAtomically(files.dir / "policies.yaml", kPolicies).ok());
  REQUIRE(WriteFileAtomically(files.dir / "test.yaml",
                              "kind: PolicyTest\npolicies: [policies.yaml]\ncases:\n"
                              "  - {name: open, principal: " +
                                  trial + rest +
                                  "{decision: allow}}\n"
                                  "  - {name: shut, principal: " +
                                  trial + rest +
                                  "{decision: deny}}\n"
                                  "  - {name: bot, principal: " +
                                  std::string(kBot) +
                                  ", call: {server: everything, tool: echo}, expect: "
                                  "{decision: allow}}\n")
              .ok());
  // After the trial: a Monday in the hours of Berlin, and the night before.
  for (const char* now : {"2027-02-08T08:00:00Z", "2027-02-07T23:00:00Z"}) {
    absl::Time at;
    REQUIRE(absl::ParseTime(absl::RFC3339_full, now, &at, nullptr));
    const auto results = TestPolicy(files.dir / "test.yaml", at);
    REQUIRE(results.ok());
    for (int i : {0, 1}) {
      CHECK_FALSE((*results)[i].has_passed);
      CHECK_THAT((*results)[i].explanation, Contains("say `at`"));
    }
    CHECK((*results)[2].has_passed);
  }
}

TEST_CASE("a case without a time that passes until a trial or a lock is over fails", "[policies]") {
  Files files;
  REQUIRE(WriteFileAtomically(files.dir / "policies.yaml", R"(kind: Policy
name: trial
spec: {principals: [{realm: okta}], servers: [wiki], observe_until: 2027-02-01T00:00:00Z, rules: [{allow: {tools: [echo]}}]}
---
kind: Lock
name: l
spec: {server: wiki, principal: {realm: okta, subject: locked}, expires: 2027-01-20T00:00:00Z}
)")
              .ok());
  const auto run = [&](const std::string& subject, const std::string& tool,
                       const std::string& expect, absl::Time now = kNow) {
    REQUIRE(WriteFileAtomically(files.dir / "test.yaml",
                                "kind: PolicyTest\npolicies: [policies.yaml]\ncases:\n" +
                                    Case("{realm: okta, kind: user, subject: " + subject + "}",
                                         "{server: wiki, tool: " + tool + "}", expect))
                .ok());
    const auto results = TestPolicy(files.dir / "test.yaml", now);
    INFO(results.status());
    REQUIRE(results.ok());
    CHECK((*results)[0].has_passed == (*results)[0].explanation.empty());
    return (*results)[0].explanation;
  };
  CHECK(run("s", "echo", "{decision: allow}").empty());
  CHECK_THAT(run("s", "drop", "{decision: allow}"),
             Contains("passes until 2027-02-01T00:00:00Z and fails from then on, as "
                      "`observe_until` of policy trial has it: say `at`"));
  CHECK_THAT(run("s", "drop", "{decision: deny}"), Contains("fails until 2027-02-01"));
  CHECK_THAT(run("locked", "echo", "{decision: deny, reason: locked}"),
             Contains("passes until 2027-01-20T00:00:00Z") && Contains("`expires` of lock l"));
  // When it is over, nothing goes by it.
  const absl::Time over = kNow + absl::Hours(24 * 60);
  CHECK(run("s", "drop", "{decision: deny}", over).empty());
  CHECK(run("locked", "echo", "{decision: allow}", over).empty());
}

TEST_CASE("a file that is no good stops the test, naming file and line", "[policies]") {
  Files files;
  CHECK_THAT(std::string(files.Run("  - {nam: n}\n").status().message()),
             Contains("test.yaml:4:") && Contains("\"nam\""));
  REQUIRE(
      WriteFileAtomically(files.dir / "bad.yaml", "kind: Policy\nname: p\nspec: {x: 1}\n").ok());
  REQUIRE(
      WriteFileAtomically(files.dir / "t.yaml", "kind: PolicyTest\npolicies: [bad.yaml]\ncases:\n" +
                                                    Case(kBot, "{server: s}", "{decision: deny}"))
          .ok());
  CHECK_THAT(std::string(TestPolicy(files.dir / "t.yaml", kNow).status().message()),
             Contains("bad.yaml:3:") && Contains("\"x\""));
  CHECK(TestPolicy(files.dir / "absent.yaml", kNow).status().code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sallyport::controlplane
