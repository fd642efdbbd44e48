// The evaluator alone: one tools/call against 10 and against 1,000 policies of 20 rules. The same
// 10 name the principal, or all do; the same 10 name the tool. And what it costs to choose the
// policies of a principal, which a session does once.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "common/policy/compiled_policies.h"
#include "common/policy/session_policy.h"

namespace sallyport {
namespace {

constexpr int kRules = 20;
constexpr int kMatching = 10;
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr std::string_view kArguments = R"({"env":"staging","items":[1,2,3],"note":"a refund"})";

// Of the kinds that policies are made of: names, prefixes, an approval with a condition, a deny.
// The first policies all name the tool that is called.
types::v1::Rule RuleOf(int policy, int index) {
  types::v1::Rule rule;
  const std::string own = std::to_string(policy) + "-" + std::to_string(index);
  if (index == kRules - 1) {
    rule.mutable_deny()->add_tools("drop-*");
  } else if (index == kRules - 2 && policy < kMatching) {
    types::v1::RuleBody& body = *rule.mutable_require_approval();
    body.add_tools("deploy");
    body.add_approvers("okta:approvers");
    types::v1::Condition& condition = *body.add_when();
    condition.set_path("/env");
    condition.add_in()->set_text("production");
  } else if (index == 0 && policy < kMatching) {
    rule.mutable_allow()->add_tools("deploy");
  } else {
    rule.mutable_allow()->add_tools("get-" + own + "-*");
    rule.mutable_allow()->add_tools("list-" + own);
    rule.mutable_allow()->add_resources("file:///" + own + "/**");
  }
  return rule;
}

std::shared_ptr<const CompiledPolicies> Policies(int count, int matching) {
  std::vector<types::v1::Document> documents;
  for (int i = 0; i < count; ++i) {
    types::v1::Document& document = documents.emplace_back();
    document.set_kind(types::v1::DOCUMENT_KIND_POLICY);
    document.set_name("policy-" + std::to_string(i));
    types::v1::PolicySpec& policy = *document.mutable_policy();
    types::v1::PrincipalMatch& match = *policy.add_principals();
    match.set_realm("okta");
    match.add_client_ids(i < matching ? "bot" : "bot-" + std::to_string(i));
    policy.add_servers("wiki");
    for (int rule = 0; rule < kRules; ++rule) *policy.add_rules() = RuleOf(i, rule);
  }
  auto compiled = CompiledPolicies::Compile(documents);
  if (!compiled.ok()) {
    std::cerr << compiled.status() << "\n";
    std::abort();
  }
  return *std::move(compiled);
}

types::v1::Principal Bot() {
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  principal.set_subject("bot");
  principal.set_client_id("bot");
  principal.add_groups("okta:bots");
  return principal;
}

void Check(benchmark::State& state, const CallDecision& decision) {
  if (decision.verdict != Verdict::kAllow) state.SkipWithError("the call was not allowed");
}

// What each message of a session costs.
void Call(benchmark::State& state) {
  const auto policies =
      Policies(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const auto bound = SessionPolicy::Bind(policies, Bot(), "wiki");
  const PolicyCall call{.method = "tools/call", .target = "deploy", .arguments = kArguments};
  Check(state, bound->EvaluateCall(call, kNow));
  for (auto _ : state) benchmark::DoNotOptimize(bound->EvaluateCall(call, kNow));
}
BENCHMARK(Call)
    ->ArgNames({"policies", "matching"})
    ->Args({kMatching, kMatching})
    ->Args({1000, kMatching})
    ->Args({1000, 1000});

// What one question costs that nobody has asked before: the policies of the principal are chosen,
// and the call is judged.
void BindAndCall(benchmark::State& state) {
  const auto policies =
      Policies(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const types::v1::Principal principal = Bot();
  const PolicyCall call{.method = "tools/call", .target = "deploy", .arguments = kArguments};
  for (auto _ : state) {
    const auto bound = SessionPolicy::Bind(policies, principal, "wiki");
    const CallDecision decision = bound->EvaluateCall(call, kNow);
    if (decision.verdict != Verdict::kAllow) return Check(state, decision);
  }
}
BENCHMARK(BindAndCall)
    ->ArgNames({"policies", "matching"})
    ->Args({kMatching, kMatching})
    ->Args({1000, kMatching});

}  // namespace
}  // namespace sallyport
