#include "common/policy/explain.h"

#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

using Catch::Matchers::Contains;

types::v1::Explanation ExplainTool(const std::string& yaml, std::string_view tool,
                                   std::string_view arguments = "") {
  return Explain(Compiled(yaml), Bot(), "wiki", "",
                 {.call = {.method = "tools/call", .target = tool, .arguments = arguments}}, kNow);
}

std::string Changes(const types::v1::Explanation& explanation) {
  std::string all;
  for (const std::string& change : explanation.changes()) all += change + "\n";
  return all;
}

const std::string kRules = R"(  rules:
    - allow: {tools: ["get-*", deploy], when: [{path: /env, in: [staging]}]}
    - require_approval: {tools: [remove], approvers: [okta:x], count: 2}
    - deny: {tools: [drop, get-all]}
    - allow: {tools: [drop]})";

TEST_CASE("the rule that decides is named, and what would change it", "[policy][explain]") {
  const auto denied = ExplainTool(BotPolicy(kRules), "drop");
  CHECK(denied.decision() == "deny");
  CHECK(denied.reason() == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(denied.policy() == "p");
  CHECK(denied.rule() == 2);
  CHECK_THAT(Changes(denied), Contains("without rules[2] of p: allow, by rules[3] of p"));

  const auto approved = ExplainTool(BotPolicy(kRules), "remove");
  CHECK(approved.decision() == "require_approval");
  CHECK(approved.count() == 2);
  CHECK(approved.approvers(0) == "okta:x");
  CHECK(approved.expires_after().seconds() == 600);
  CHECK_THAT(Changes(approved), Contains("the approval of 2 of okta:x") &&
                                    Contains("without rules[1] of p: deny (policy_denied)"));

  const auto hidden = ExplainTool(BotPolicy(kRules), "other");
  CHECK(hidden.decision() == "deny");
  CHECK_FALSE(hidden.has_rule());
  CHECK_THAT(Changes(hidden), Contains("`tools`, in p"));
}

TEST_CASE("every rule of a policy that applies says why it does or does not match",
          "[policy][explain]") {
  const auto explained = ExplainTool(BotPolicy(kRules), "get-all", R"({"env":"production"})");
  REQUIRE(explained.policies_size() == 1);
  REQUIRE(explained.policies(0).rules_size() == 4);
  const auto& rules = explained.policies(0).rules();
  CHECK_FALSE(rules[0].matches());
  CHECK(rules[0].why() == "tools \"get-*\", but when[0] on /env does not hold");
  CHECK_FALSE(rules[1].matches());
  CHECK(rules[1].effect() == "require_approval");
  CHECK(rules[1].why() == "no pattern of it names this");
  CHECK(rules[2].matches());
  CHECK(rules[2].why() == "tools \"get-all\"");
}

TEST_CASE("a condition that fails is named and never its argument's value", "[policy][explain]") {
  const auto explained = ExplainTool(BotPolicy(kRules), "deploy", R"({"env":"s3cret"})");
  CHECK(explained.reason() == types::v1::DENIAL_REASON_CONDITION_FAILED);
  CHECK_THAT(Changes(explained), Contains("the conditions of rules[0] of p hold"));
  CHECK_THAT(explained.DebugString(), !Contains("s3cret"));
  CHECK_THAT(ExplainTool(BotPolicy(kRules), "deploy", R"({"env":"a","env":"a"})").DebugString(),
             Contains("more than one way"));
}

TEST_CASE("policies that do not apply say what they lack", "[policy][explain]") {
  const std::string yaml =
      "kind: Policy\nname: a\nspec: {principals: [{realm: okta, groups: [x]}, {realm: okta, "
      "client_ids: [bot], scopes: [s]}, {realm: okta, claims: {team: pay}}], servers: [wiki]}\n"
      "---\nkind: Policy\nname: elsewhere\nspec: {principals: [{realm: okta}], servers: [git]}\n";
  const auto explained = Explain(Compiled(yaml), Bot(), "wiki", "", {}, kNow);
  CHECK(explained.decision() == "deny");
  CHECK(explained.reason() == types::v1::DENIAL_REASON_SCOPE_MISSING);
  CHECK_THAT(Changes(explained), Contains("scopes s"));
  REQUIRE(explained.policies_size() == 1);
  CHECK_FALSE(explained.policies(0).applies());
  CHECK(explained.policies(0).why() ==
        "it does not name the principal: groups of principals[0], scopes of principals[1], "
        "claims.team of principals[2]");
}

TEST_CASE("locks, hours and observation are said", "[policy][explain]") {
  const std::string rule = "  rules: [{allow: {tools: [t]}}]";
  const auto locked = ExplainTool(BotPolicy(rule) + "---\nkind: Lock\nname: l\nspec: {}\n", "t");
  CHECK(locked.reason() == types::v1::DENIAL_REASON_LOCKED);
  CHECK_THAT(Changes(locked), Contains("deleting lock l"));

  const std::string hours = "  hours: [{from: \"09:00\", to: \"17:00\", zone: UTC}]\n";
  const auto shut = ExplainTool(BotPolicy(hours + rule), "t");
  CHECK(shut.decision() == "deny");
  CHECK_THAT(Changes(shut), Contains("the hours of p"));
  CHECK_THAT(shut.policies(0).why(), Contains("outside of its hours"));
  CHECK(shut.rule() == 0);
  // What a rule denies it denies at any hour.
  const auto denied = ExplainTool(
      BotPolicy(hours + "  rules: [{allow: {tools: [\"*\"]}}, {deny: {tools: [t]}}]"), "t");
  CHECK(denied.policy() == "p");
  CHECK(denied.rule() == 1);
  CHECK_THAT(Changes(denied), Contains("without rules[1] of p, and the hours of p"));

  const auto observed =
      ExplainTool(BotPolicy("  observe_until: 2027-02-01T00:00:00Z\n" + rule), "other");
  CHECK(observed.decision() == "allow");
  CHECK(observed.observed() == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK_THAT(Changes(observed), Contains("observe_until"));
  CHECK_THAT(observed.policies(0).why(), Contains("until 2027-02-01T00:00:00Z"));
}

TEST_CASE("hours are named where the answer is another one within them", "[policy][explain]") {
  const std::string night =
      "---\nkind: Policy\nname: night\nspec:\n  principals: [{realm: okta}]\n  servers: [wiki]\n"
      "  hours: [{from: \"09:00\", to: \"17:00\", zone: UTC}]\n";
  const auto of_call = [&](const std::string& rules, const std::string& of_night) {
    return Changes(ExplainTool(BotPolicy("  rules: " + rules) + night + of_night, "t"));
  };
  const std::string allow = "  rules: [{allow: {tools: [t]}}]\n";
  CHECK(of_call("[{deny: {tools: [t]}}]", allow) ==
        "without rules[0] of p, and the hours of night: allow, by rules[0] of night\n");
  CHECK_THAT(of_call("[{require_approval: {tools: [t], approvers: [okta:x]}}]", allow),
             !Contains("the hours"));
  CHECK_THAT(of_call("[]", "  rules: [{allow: {tools: [other]}}]\n"), !Contains("the hours"));
  CHECK_THAT(of_call("[]", allow), Contains("the hours of night"));

  const auto of_opening = [&](const std::string& terms, const std::string& of_night) {
    return Changes(
        Explain(Compiled(BotPolicy(terms) + night + of_night), Bot(), "wiki", "", {}, kNow));
  };
  const std::string asks = "  session: {approval: {approvers: [okta:x]}}\n";
  CHECK_THAT(of_opening(asks, allow), !Contains("the hours"));
  CHECK_THAT(of_opening("  hours: [{from: \"09:00\", to: \"17:00\", zone: UTC}]\n", allow),
             Contains("the hours of night"));
}

TEST_CASE("an approval says whose owners do not count", "[policy][explain]") {
  const auto explained =
      Explain(Compiled("kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, owners: "
                       "[\"okta:team\"]}]\n  servers: [wiki]\n  session: {approval: {approvers: "
                       "[\"okta:x\"]}}\n"),
              Bot(), "wiki", "", {}, kNow);
  CHECK_THAT(Changes(explained), Contains("the approval of 1 of okta:x, none of them an owner: "
                                          "okta:team"));
}

TEST_CASE("an opening and a server's request are explained, too", "[policy][explain]") {
  const auto policies =
      Compiled(BotPolicy("  session: {approval: {approvers: [okta:x]}}\n"
                         "  rules: [{allow: {server_requests: [roots]}}]"));
  const auto opening = Explain(policies, Bot(), "wiki", "", {}, kNow);
  CHECK(opening.decision() == "require_approval");
  CHECK(opening.count() == 1);
  CHECK(opening.policies(0).rules().empty());
  const auto roots = Explain(policies, Bot(), "wiki", "", {.server_request = "roots"}, kNow);
  CHECK(roots.decision() == "allow");
  CHECK(roots.policies(0).rules(0).why() == "server_requests");
  CHECK(Explain(policies, Bot(), "wiki", "", {.server_request = "sampling"}, kNow).decision() ==
        "deny");
}

std::string Terms(const types::v1::Explanation& explanation) {
  std::string all;
  for (const types::v1::TermExplanation& term : explanation.terms()) {
    all += term.term() + ": " + term.value() + " (";
    for (const std::string& document : term.documents()) all += " " + document;
    all += " )\n";
  }
  return all;
}

std::string Named(const std::string& name, const std::string& more) {
  return "kind: Policy\nname: " + name +
         "\nspec:\n  principals: [{realm: okta}]\n  servers: [wiki]\n" + more + "\n---\n";
}

TEST_CASE("the terms of an opening say which documents make them so", "[policy][explain]") {
  const auto policies = Compiled(
      Named("a",
            "  session: {max_duration: 30m, max_calls: 9, approval: {approvers: [okta:x, okta:y]}, "
            "limits: [{per: principal, calls: 60, within: 1m}]}") +
      Named(
          "b",
          "  session: {max_duration: 5m, open: request, approval: {approvers: [okta:x], count: 2, "
          "expires_after: 3m}}") +
      Named("c",
            "  observe_until: 2027-02-01T00:00:00Z\n"
            "  session: {idle_timeout: 1m, approval: {approvers: [okta:z]}}") +
      "kind: Server\nname: wiki\nspec: {limits: [{per: session, concurrent: 4}]}\n");
  const auto opening = Explain(policies, Bot(), "wiki", "", {}, kNow);
  CHECK(opening.decision() == "require_approval");
  CHECK_THAT(opening.detail(), Contains("session.approval of policy/a and policy/b asks for it"));
  CHECK_THAT(opening.detail(), Contains("session.open of policy/b is `request`"));
  CHECK_THAT(Changes(opening), Contains("sallyport request wiki"));
  const std::string terms = Terms(opening);
  CHECK_THAT(terms, Contains("approval: 2 of okta:x, for 3m ( policy/a policy/b )"));
  CHECK_THAT(terms, Contains("open: request ( policy/b )"));
  CHECK_THAT(terms, Contains("max_duration: 5m ( policy/b )"));
  CHECK_THAT(terms, Contains("idle_timeout: 1m ( policy/c )"));
  CHECK_THAT(terms, Contains("max_calls: 9 ( policy/a )"));
  CHECK_THAT(terms, Contains("limits: 60 calls within 1m per principal ( policy/a )"));
  CHECK_THAT(terms, Contains("limits: 4 calls at a time per session ( server/wiki )"));
  // What nobody has set is left out, and so is all of it where nothing is opened.
  CHECK(terms.find("disconnect_grace") == std::string::npos);
  CHECK(Terms(Explain(policies, Bot(), "elsewhere", "", {}, kNow)).empty());
}

TEST_CASE("an explanation decides as the evaluator does", "[policy][explain]") {
  const auto policies = Compiled(BotPolicy(kRules));
  const auto bound = SessionPolicy::Bind(policies, Bot(), "wiki");
  for (const char* method : {"tools/call", "resources/read", "prompts/get", "completion/complete",
                             "resources/subscribe", "tools/list", "vendor/x"}) {
    for (const char* target : {"get-a", "remove", "drop", "x:y", "../a"}) {
      const PolicyCall call{
          .method = method, .target = target, .arguments = R"({"env":"staging"})"};
      const auto explained = Explain(policies, Bot(), "wiki", "", {.call = call}, kNow);
      const CallDecision decision = bound->EvaluateCall(call, kNow);
      INFO(method << " " << target);
      CHECK(explained.reason() == decision.reason);
      CHECK((explained.decision() == "allow") == (decision.verdict == Verdict::kAllow));
    }
  }
}

}  // namespace
}  // namespace sallyport
