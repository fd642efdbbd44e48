#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

// kNow is 2027-01-15T08:00:00Z.
const std::string kObserving = "  observe_until: 2027-01-15T08:00:01Z\n";
const std::string kObserved = "  observe_until: 2027-01-15T08:00:00Z\n";

CallDecision Tool(const std::string& yaml, std::string_view name = "t") {
  return Bound(yaml)->EvaluateCall({.method = "tools/call", .target = name}, kNow);
}

TEST_CASE("a policy that observes lets through and says what it would have refused",
          "[policy][observe]") {
  const std::string rules = "  rules: [{allow: {tools: [a]}}, {deny: {tools: [t]}}]";
  const CallDecision decision = Tool(BotPolicy(kObserving + rules));
  CHECK(decision.verdict == Verdict::kAllow);
  REQUIRE(decision.observed);
  CHECK(*decision.observed ==
        Observed{.reason = types::v1::DENIAL_REASON_POLICY_DENIED, .policy = "p", .rule = 1});
  CHECK_FALSE(Tool(BotPolicy(kObserving + rules), "a").observed);
}

TEST_CASE("what no rule speaks for is let through and reported while a policy observes",
          "[policy][observe]") {
  const auto policy = Bound(BotPolicy(kObserving));
  const CallDecision decision = policy->EvaluateCall({.method = "vendor/x"}, kNow);
  CHECK(decision.verdict == Verdict::kAllow);
  CHECK(decision.policy == "p");
  REQUIRE(decision.observed);
  CHECK(decision.observed->reason == types::v1::DENIAL_REASON_METHOD_UNKNOWN);
  CHECK(policy->EvaluateServerRequest("sampling", kNow).verdict == Verdict::kAllow);
  CHECK(policy->ShowsTool("anything", kNow));
  CHECK(policy->capabilities(kNow).sampling);
  CHECK(policy->capabilities(kNow).tools);
}

TEST_CASE("a policy enforces from the moment on that it observes until", "[policy][observe]") {
  const std::string yaml = BotPolicy(kObserved + "  rules: [{deny: {tools: [t]}}]");
  CHECK(Tool(yaml).verdict == Verdict::kDeny);
  CHECK_FALSE(Tool(yaml).observed);
  CHECK_FALSE(Bound(yaml)->capabilities(kNow).sampling);
  CHECK(Bound(yaml)->capabilities(kNow - absl::Nanoseconds(1)).sampling);
  CHECK_FALSE(Bound(yaml)->ShowsTool("t", kNow));
}

TEST_CASE("an observing policy lifts no deny, approval or limit of another", "[policy][observe]") {
  const auto beside = [](const std::string& rule) {
    return Tool(BotPolicy(kObserving) + "---\n" + BotPolicy("  rules: [" + rule + "]", "q"));
  };
  CHECK(beside("{deny: {tools: [t]}}").verdict == Verdict::kDeny);
  CHECK_FALSE(beside("{deny: {tools: [t]}}").observed);
  CHECK(beside("{require_approval: {tools: [t], approvers: [okta:x]}}").verdict ==
        Verdict::kRequireApproval);
  CHECK(beside("{allow: {tools: [t], once: {by: [/id]}}}").verdict == Verdict::kDeny);
}

TEST_CASE("an approval that an observing policy would ask for is reported as one",
          "[policy][observe]") {
  const CallDecision decision = Tool(
      BotPolicy(kObserving + "  rules: [{require_approval: {tools: [t], approvers: [okta:x]}}]"));
  CHECK(decision.verdict == Verdict::kAllow);
  REQUIRE(decision.observed);
  CHECK(decision.observed->reason == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  CHECK(decision.on_unknown == types::v1::ON_UNKNOWN_ALLOW);
}

TEST_CASE("once and limits of a policy that observes ask for nothing", "[policy][observe]") {
  const std::string yaml = BotPolicy(
      kObserving + "  rules: [{allow: {tools: [t], limit: {count: /items, per_call: 1}}}]");
  const CallDecision decision = Bound(yaml)->EvaluateCall(
      {.method = "tools/call", .target = "t", .arguments = R"({"items":[1,2]})"}, kNow);
  CHECK(decision.verdict == Verdict::kAllow);
  REQUIRE(decision.observed);
  CHECK(decision.observed->reason == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
}

TEST_CASE("a URI that has no single meaning is refused by whatever policy", "[policy][observe]") {
  CHECK(Bound(BotPolicy(kObserving))
            ->EvaluateCall({.method = "resources/read", .target = "file:///a/../b"}, kNow)
            .verdict == Verdict::kDeny);
}

TEST_CASE("a session opens without the approval of a policy that observes", "[policy][observe]") {
  const std::string asks = "  session: {open: request, approval: {approvers: [okta:x]}}\n";
  const auto open = [](const std::string& yaml) {
    return Compiled(yaml)->EvaluateOpen(Bot(), "wiki", "", kNow);
  };
  const OpenDecision decision = open(BotPolicy(kObserving + asks));
  CHECK(decision.is_allowed());
  CHECK_FALSE(decision.terms.has_approval());
  CHECK(decision.terms.open() == types::v1::OPEN_MODE_CONNECT);
  REQUIRE(decision.observed);
  CHECK(decision.observed->reason == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  CHECK(open(BotPolicy(kObserved + asks)).terms.has_approval());
  const OpenDecision beside =
      open(BotPolicy(kObserving) + "---\n" + BotPolicy("  session: {open: request}", "q"));
  CHECK(beside.terms.open() == types::v1::OPEN_MODE_REQUEST);
  CHECK_FALSE(beside.observed);
}

}  // namespace
}  // namespace sallyport
