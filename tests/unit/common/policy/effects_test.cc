// once, limit, on_unknown and hours: what stands beside a rule that lets a call through.
#include "common/policy/open_refusal.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

CallDecision Refund(const SessionPolicy& policy, std::string_view arguments,
                    std::string_view tool = "refund") {
  return policy.EvaluateCall({.method = "tools/call", .target = tool, .arguments = arguments},
                             kNow);
}

const std::string kOnce =
    BotPolicy("  rules: [{allow: {tools: [refund], once: {by: [/id, /to], within: 24h}}}]");

TEST_CASE("once has one key for all ways to write the same values", "[policy][once]") {
  const auto policy = Bound(kOnce);
  const CallDecision decision = Refund(*policy, R"({"id": 1000, "to": "a"})");
  REQUIRE(decision.verdict == Verdict::kAllow);
  REQUIRE(decision.once.size() == 1);
  CHECK(decision.once[0].within == absl::Hours(24));
  CHECK(decision.once[0].policy == "p");
  CHECK(decision.once[0].by == std::vector<std::string>{"/id", "/to"});
  for (const char* same : {R"({"to":"a","id":1e3})", R"({"id":1000.0,"to":"\u0061","more":1})",
                           R"({"id":1000.00000000000000000001,"to":"a"})",
                           R"({"id":999.99999999999999999999,"to":"a"})"}) {
    CHECK(Refund(*policy, same).once == decision.once);
  }
  for (const char* other : {R"({"id":"1000","to":"a"})", R"({"id":1001,"to":"a"})",
                            R"({"id":1000,"to":"A"})", R"({"id":[1000],"to":"a"})"}) {
    INFO(other);
    REQUIRE(Refund(*policy, other).once.size() == 1);
    CHECK(Refund(*policy, other).once[0].key != decision.once[0].key);
  }
}

TEST_CASE("objects are one value whatever the order of their members", "[policy][once]") {
  const auto policy = Bound(BotPolicy("  rules: [{allow: {tools: [refund], once: {by: [/o]}}}]"));
  const auto key = [&](const char* arguments) {
    const CallDecision decision = Refund(*policy, arguments);
    return decision.once.empty() ? "" : decision.once[0].key;
  };
  CHECK(key(R"({"o":{"a":1,"b":[true,null]}})") == key(R"({"o":{"b":[true, null],"\u0061":1.0}})"));
  CHECK(key(R"({"o":{"a":1,"b":2}})") != key(R"({"o":{"a":2,"b":1}})"));
  CHECK(key(R"({"o":["a","b"]})") != key(R"({"o":["b","a"]})"));
  CHECK(key(R"({"o":["ab"]})") != key(R"({"o":["a","b"]})"));
  CHECK(key(R"({"o":{}})") != key(R"({"o":[]})"));
  CHECK(key(R"({"o":{}})") != "");
}

TEST_CASE("once refuses what it cannot tell apart", "[policy][once]") {
  const auto policy = Bound(kOnce);
  for (const char* arguments :
       {"", "{}", R"({"id":1})", R"({"to":"a"})", R"({"id":1,"id":2,"to":"a"})",
        R"({"id":{"a":1,"a":1},"to":"a"})", R"({"id":1e9999999999999999,"to":"a"})",
        R"({"id":"\ud800","to":"a"})"}) {
    INFO(arguments);
    const CallDecision decision = Refund(*policy, arguments);
    CHECK(decision.verdict == Verdict::kDeny);
    CHECK(decision.reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
    CHECK(decision.rule == 0);
    CHECK(decision.once.empty());
  }
}

TEST_CASE("once is of the arguments, whatever is done to rules, and of the server",
          "[policy][once]") {
  const auto key = [](const std::string& yaml, std::string_view server) {
    const auto policy = SessionPolicy::Bind(Compiled(yaml), Bot(), server);
    return Refund(*policy, R"({"id":1,"to":"a"})").once.at(0).key;
  };
  const std::string moved = BotPolicy(
      "  rules: [{allow: {tools: [x]}}, {allow: {tools: [refund], once: {by: [/to, /id]}, "
      "on_unknown: deny, when: [{path: /id, exists: true}]}}]");
  CHECK(key(kOnce, "wiki") == key(moved, "wiki"));
  CHECK(key(kOnce, "wiki") ==
        key(BotPolicy("  rules: [{allow: {tools: [refund, refund], once: {by: [/id, /to]}}}]"),
            "wiki"));
  CHECK(key(kOnce, "wiki") != key(kOnce, "wiki-2"));
  CHECK(key(kOnce, "wiki") ==
        key(BotPolicy("  rules: [{allow: {tools: [\"re*\", pay], once: {by: [/id, /to]}}}]", "q"),
            "wiki"));
  CHECK(key(kOnce, "wiki") !=
        key(BotPolicy("  rules: [{allow: {tools: [refund], once: {by: [/id]}}}]"), "wiki"));
}

TEST_CASE("each policy asks for once, of the same key and for its own time", "[policy][once]") {
  const auto policy = Bound(
      kOnce + "---\n" +
      BotPolicy("  rules: [{allow: {tools: [\"*\"], once: {by: [/to, /id], within: 1h}}}]", "q"));
  const CallDecision decision = Refund(*policy, R"({"id":1,"to":"a"})");
  REQUIRE(decision.once.size() == 2);
  CHECK(decision.once[0].key == decision.once[1].key);
  CHECK(decision.once[0].policy == "p");
  CHECK(decision.once[0].within == absl::Hours(24));
  CHECK(decision.once[1].policy == "q");
  CHECK(decision.once[1].within == absl::Hours(1));
}

TEST_CASE("what one policy lets through once, another does not let through twice",
          "[policy][once]") {
  const auto policy =
      Bound(kOnce + "---\n" + BotPolicy("  rules: [{allow: {tools: [\"*\"]}}]", "a"));
  const CallDecision decision = Refund(*policy, R"({"id":1,"to":"a"})");
  CHECK(decision.policy == "a");
  CHECK(decision.once.size() == 1);
}

TEST_CASE("two rules of one effect are one demand, for the longer time", "[policy][once]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: [refund], once: {by: [/id], within: 1h}}
    - allow: {tools: [refund], once: {by: [/id], within: 2h}, when: [{path: /id, exists: true}]})"));
  const CallDecision decision = Refund(*policy, R"({"id":1})");
  REQUIRE(decision.once.size() == 1);
  CHECK(decision.once[0].within == absl::Hours(2));
}

TEST_CASE("limit counts what an argument lists", "[policy][limit]") {
  const auto policy =
      Bound(BotPolicy("  session: {max_duration: 15m}\n"
                      "  rules: [{allow: {tools: [refund], limit: {count: /items, per_call: 3, "
                      "per_window: 100}}}]"));
  const auto count = [&](const char* arguments) -> int {
    const CallDecision decision = Refund(*policy, arguments);
    if (decision.verdict != Verdict::kAllow) return -static_cast<int>(decision.reason);
    REQUIRE(decision.limits.size() == 1);
    CHECK(decision.limits[0].per_window == 100);
    CHECK(decision.limits[0].window == absl::Minutes(15));
    return static_cast<int>(decision.limits[0].objects);
  };
  CHECK(count(R"({"items":[1,2,3]})") == 3);
  CHECK(count(R"({"items":[]})") == 0);
  CHECK(count(R"({"items":{"a":1,"b":[1,2]}})") == 2);
  CHECK(count(R"({"items":"one"})") == 1);
  CHECK(count(R"({"items":[1,2,3,4]})") == -types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(count(R"({"items":null})") == -types::v1::DENIAL_REASON_CONDITION_FAILED);
  CHECK(count("{}") == -types::v1::DENIAL_REASON_CONDITION_FAILED);
  CHECK(count(R"({"items":[1],"items":[]})") == -types::v1::DENIAL_REASON_CONDITION_FAILED);
}

TEST_CASE("a refusal names the argument that is missing, and how many objects are too many",
          "[policy][limit][once]") {
  using Catch::Matchers::EndsWith;
  const auto policy = Bound(
      BotPolicy("  rules: [{allow: {tools: [refund], once: {by: [/id, /line]}, limit: {count: "
                "/items, per_call: 3, per_window: 2}}}]"));
  const auto detail = [&](const char* arguments) {
    const CallDecision decision = Refund(*policy, arguments);
    REQUIRE(decision.verdict == Verdict::kDeny);
    return decision.detail;
  };
  CHECK_THAT(detail(R"({"id":1,"items":[]})"), EndsWith("pass only once: /line"));
  CHECK_THAT(detail(R"({"id":1,"line":2})"), EndsWith("objects are counted: /items"));
  CHECK_THAT(detail(R"({"id":1,"line":2,"items":[1,2,3,4]})"),
             EndsWith("touches 4 objects, and one call may 3"));
  CHECK_THAT(detail(R"({"id":1,"line":2,"items":[1,2,3]})"),
             EndsWith("touches 3 objects, and all calls of a window may 2"));
}

TEST_CASE("a call that no window could hold is refused at once", "[policy][limit]") {
  const auto policy = Bound(BotPolicy(
      "  rules: [{allow: {tools: [refund], limit: {count: /items, per_window: 2, window: 1h}}}]"));
  CHECK(Refund(*policy, R"({"items":[1,2]})").limits.at(0).window == absl::Hours(1));
  CHECK(Refund(*policy, R"({"items":[1,2,3]})").reason == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
}

TEST_CASE("a window counts what calls touch that another rule lets through", "[policy][limit]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: [refund], when: [{path: /k, equals: a}], limit: {count: /items, per_window: 3}}
    - allow: {tools: [refund], when: [{path: /k, equals: c}], limit: {count: /items, per_call: 9}}
    - allow: {tools: ["*"]})"));
  CallDecision decision = Refund(*policy, R"({"k":"b","items":[1,2,3,4]})");
  REQUIRE(decision.verdict == Verdict::kAllow);
  REQUIRE(decision.limits.size() == 1);
  CHECK(decision.limits[0].objects == 4);
  CHECK(decision.limits[0].policy == "p");
  CHECK(decision.limits[0].count == "/items");
  CHECK(decision.limits[0].rules.empty());
  // What cannot be counted is refused by none of those that let it through.
  decision = Refund(*policy, R"({"k":"b"})");
  CHECK(decision.verdict == Verdict::kAllow);
  CHECK(decision.limits.empty());
  CHECK(Refund(*policy, R"({"items":[1]})", "echo").limits.empty());
  decision = Refund(*policy, R"({"k":"a","items":[1]})");
  REQUIRE(decision.limits.size() == 1);
  CHECK(decision.limits[0].rules == std::vector<int>{0});
}

TEST_CASE("a limit per call alone leaves nothing to count", "[policy][limit]") {
  const auto policy = Bound(
      BotPolicy("  rules: [{allow: {tools: [refund], limit: {count: /items, per_call: 2}}}]"));
  CHECK(Refund(*policy, R"({"items":[1,2]})").limits.empty());
  CHECK(Refund(*policy, R"({"items":[1,2,3]})").reason == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
}

TEST_CASE("an unknown outcome is asked about where once or an approval stands",
          "[policy][unknown]") {
  const std::string asks = "  session: {approval: {approvers: [okta:x], count: 2}}\n";
  const auto on_unknown = [](const std::string& more) {
    return Refund(*Bound(BotPolicy(more)), R"({"id":1})").on_unknown;
  };
  CHECK(on_unknown("  rules: [{allow: {tools: [refund]}}]") == types::v1::ON_UNKNOWN_ALLOW);
  CHECK(on_unknown("  rules: [{require_approval: {tools: [refund], approvers: [okta:x]}}]") ==
        types::v1::ON_UNKNOWN_ASK);
  CHECK(on_unknown(asks + "  rules: [{allow: {tools: [refund], once: {by: [/id]}}}]") ==
        types::v1::ON_UNKNOWN_ASK);
  // Nobody to ask.
  CHECK(on_unknown("  rules: [{allow: {tools: [refund], once: {by: [/id]}}}]") ==
        types::v1::ON_UNKNOWN_DENY);
  CHECK(on_unknown(asks +
                   "  rules: [{allow: {tools: [refund], once: {by: [/id]}, on_unknown: allow}}]") ==
        types::v1::ON_UNKNOWN_ALLOW);
  CHECK(on_unknown(asks + "  rules: [{allow: {tools: [refund], on_unknown: ask}}, "
                          "{allow: {tools: [\"*\"], on_unknown: deny}}]") ==
        types::v1::ON_UNKNOWN_DENY);
}

TEST_CASE("whom to ask about an unknown outcome is said", "[policy][unknown]") {
  const auto policy =
      Bound(BotPolicy("  session: {approval: {approvers: [okta:x], count: 2, expires_after: 3m}}\n"
                      "  rules: [{allow: {tools: [refund], on_unknown: ask}}]"));
  const CallDecision decision = Refund(*policy, "{}");
  CHECK(decision.verdict == Verdict::kAllow);
  CHECK(decision.approvers == std::vector<std::string>{"okta:x"});
  CHECK(decision.count == 2);
  CHECK(decision.expires_after == absl::Minutes(3));
}

TEST_CASE("what a request names may ask about an unknown outcome as well", "[policy][unknown]") {
  const auto policy =
      Bound(BotPolicy("  session: {approval: {approvers: [okta:x]}}\n"
                      "  rules: [{allow: {methods: [\"completion/*\"]}}, {allow: {prompts: [p], "
                      "on_unknown: ask}}]"));
  const CallDecision decision =
      policy->EvaluateCall({.method = "completion/complete", .target = "p"}, kNow);
  CHECK(decision.on_unknown == types::v1::ON_UNKNOWN_ASK);
  CHECK(decision.approvers == std::vector<std::string>{"okta:x"});
}

// kNow is a Friday, 08:00 in UTC.
const std::string kShut = "  hours: [{days: [sat], from: \"08:00\", to: \"17:00\", zone: UTC}]\n";
const std::string kOpen = "  hours: [{days: [fri], from: \"08:00\", to: \"17:00\", zone: UTC}]\n";

TEST_CASE("outside of its hours a policy grants nothing", "[policy][hours]") {
  const std::string rules = "  rules: [{allow: {tools: [refund]}}]";
  CHECK(Refund(*Bound(BotPolicy(kOpen + rules)), "").verdict == Verdict::kAllow);
  const CallDecision decision = Refund(*Bound(BotPolicy(kShut + rules)), "");
  CHECK(decision.verdict == Verdict::kDeny);
  CHECK(decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK_THAT(std::string(decision.detail), Catch::Matchers::Contains("hours"));
  CHECK(decision.rule == 0);
  const OpenDecision opening =
      Compiled(BotPolicy(kShut + rules))->EvaluateOpen(Bot(), "wiki", "", kNow);
  CHECK(WhyRefused(opening, "wiki") ==
        "the policies for server wiki cannot be met: it is outside of the hours in which policy "
        "allows it");
  // It is there, at another hour.
  CHECK(Bound(BotPolicy(kShut + rules))->ShowsTool("refund", kNow));
}

TEST_CASE("outside of its hours a policy's denies, approvals and limits still hold",
          "[policy][hours]") {
  const std::string open = "---\n" + BotPolicy("  rules: [{allow: {tools: [\"*\"]}}]", "open");
  const auto judge = [&](const std::string& rule) {
    return Refund(*Bound(BotPolicy(kShut + "  rules: [" + rule + "]", "shut") + open),
                  R"({"id":1})");
  };
  CHECK(judge("{deny: {tools: [refund]}}").policy == "shut");
  CHECK(judge("{require_approval: {tools: [refund], approvers: [okta:x]}}").verdict ==
        Verdict::kRequireApproval);
  CHECK(judge("{allow: {tools: [refund], once: {by: [/id]}}}").once.size() == 1);
  CHECK(judge("{allow: {tools: [refund]}}").policy == "open");
}

TEST_CASE("an approval that is asked for outside of the hours grants nothing by itself",
          "[policy][hours]") {
  const std::string rules = "  rules: [{require_approval: {tools: [refund], approvers: [okta:x]}}]";
  CHECK(Refund(*Bound(BotPolicy(kOpen + rules)), "").verdict == Verdict::kRequireApproval);
  CHECK(Refund(*Bound(BotPolicy(kShut + rules)), "").verdict == Verdict::kDeny);
}

}  // namespace
}  // namespace sallyport
