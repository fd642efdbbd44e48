#include "common/policy/session_policy.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/policy/compiled_policy.h"
#include "common/policy/detectors.h"
#include "common/policy/judge.h"
#include "common/policy/open_terms.h"
#include "common/policy/pattern.h"

namespace sallyport {
namespace {

constexpr auto kPolicyDenied = types::v1::DENIAL_REASON_POLICY_DENIED;

CallDecision JudgeResource(const RuleTable& rules, std::string_view uri, std::string_view method,
                           const Occasion& occasion) {
  const UriForms forms(uri);
  if (!forms.refusal().empty()) return Refused(kPolicyDenied, {}, kNoRule, forms.refusal());
  return Judge(rules, ResourceSubject{forms, method}, occasion, kPolicyDenied);
}

CallDecision JudgeMethod(const RuleTable& rules, std::string_view method,
                         const Occasion& occasion) {
  return Judge(rules, MethodSubject{method}, occasion, types::v1::DENIAL_REASON_METHOD_UNKNOWN);
}

CallDecision JudgeTemplate(const RuleTable& rules, std::string_view uri_template,
                           const Occasion& occasion) {
  return TemplateCouldPass(rules, uri_template, occasion.now) ? Allowed() : Hidden(kPolicyDenied);
}

// A method that needs its rule, and what it names allowed as well.
CallDecision Both(CallDecision method, CallDecision target) {
  if (method.verdict == Verdict::kDeny || method.verdict == Verdict::kHidden) return method;
  if (target.verdict == Verdict::kRequireApproval) {
    return Refused(kPolicyDenied, target.policy, target.rule,
                   "what the request names needs an approval of its own");
  }
  if (target.verdict != Verdict::kAllow) return target;
  method.on_unknown = std::max(method.on_unknown, target.on_unknown);
  if (!method.observed) method.observed = std::move(target.observed);
  return method;
}

}  // namespace

SessionPolicy::SessionPolicy(std::shared_ptr<const CompiledPolicies> policies,
                             std::vector<const CompiledPolicy*> matching, std::string_view server)
    : policies_(std::move(policies)),
      server_(server),
      recording_content_(types::v1::RECORDING_CONTENT_MASKED) {
  auto rules = std::make_unique<RuleTable>();
  std::set<std::string> masks;
  bool records_nothing = !matching.empty();
  for (const CompiledPolicy* policy : matching) {
    policy_names_.push_back(policy->name);
    if (policy->observe_until != absl::InfinitePast()) rules->observing.push_back(policy);
    for (const CompiledRule& rule : policy->rules) {
      switch (rule.effect) {
        case CompiledRule::Effect::kDeny:
          rules->deny.push_back(&rule);
          break;
        case CompiledRule::Effect::kRequireApproval:
          rules->require_approval.push_back(&rule);
          break;
        case CompiledRule::Effect::kAllow:
          rules->allow.push_back(&rule);
          break;
      }
    }
    if (policy->spec.mask().empty()) masks.emplace(kSecretsGroup);
    masks.insert(policy->spec.mask().begin(), policy->spec.mask().end());
    records_nothing &= policy->spec.recording().content() == types::v1::RECORDING_CONTENT_NONE;
  }
  if (matching.empty()) masks.emplace(kSecretsGroup);
  mask_names_.assign(masks.begin(), masks.end());
  if (records_nothing) recording_content_ = types::v1::RECORDING_CONTENT_NONE;
  limits_ = LimitsOf(matching, policies_->FindServer(server));
  AddPhases(*rules);
  rules_ = std::move(rules);
}

// One for each time at which a policy stops to observe, and one for ever after.
void SessionPolicy::AddPhases(const RuleTable& rules) {
  std::set<absl::Time> ends = {absl::InfiniteFuture()};
  for (const CompiledPolicy* policy : rules.observing) ends.insert(policy->observe_until);
  for (const absl::Time end : ends) {
    // The last moment before it is as good as any other of the phase.
    phases_.push_back({end, CapabilitiesOf(rules, end - absl::Nanoseconds(1))});
  }
}

SessionPolicy::~SessionPolicy() = default;

std::shared_ptr<const SessionPolicy> SessionPolicy::Bind(
    std::shared_ptr<const CompiledPolicies> policies, const types::v1::Principal& principal,
    std::string_view server) {
  std::vector<const CompiledPolicy*> matching = policies->Matching(principal, server);
  return std::shared_ptr<const SessionPolicy>(
      new SessionPolicy(std::move(policies), std::move(matching), server));
}

const UsableCapabilities& SessionPolicy::capabilities(absl::Time now) const {
  const auto phase = std::find_if(phases_.begin(), phases_.end() - 1,
                                  [&](const Phase& one) { return now < one.end; });
  return phase->usable;
}

CallDecision SessionPolicy::EvaluateCall(const PolicyCall& call, absl::Time now) const {
  if (is_empty()) return Hidden(types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  const Occasion occasion{server_, now};
  const auto prompt = [&] {
    return Judge(*rules_, PromptSubject(call.target), occasion, kPolicyDenied);
  };
  const auto method = [&] { return JudgeMethod(*rules_, call.method, occasion); };
  const auto resource = [&] {
    return JudgeResource(*rules_, call.target, "resources/read", occasion);
  };
  switch (KindOfMethod(call.method)) {
    case MethodKind::kFree:
      return Allowed();
    case MethodKind::kTool:
      return Judge(*rules_, ToolSubject(call.target), Occasion{server_, now, call.arguments},
                   kPolicyDenied);
    case MethodKind::kResource:
      return resource();
    case MethodKind::kPrompt:
      return prompt();
    case MethodKind::kCompletion:
      return Both(method(),
                  call.ref_is_resource ? JudgeTemplate(*rules_, call.target, occasion) : prompt());
    case MethodKind::kSubscribe:
      return Both(method(), resource());
    case MethodKind::kListen:
      // The stream as such; each of its URIs is judged by itself.
      return call.target.empty() ? method() : Both(method(), resource());
    case MethodKind::kRootsList:
      return capabilities(now).roots ? Allowed() : method();
    case MethodKind::kOther:
      break;
  }
  return method();
}

CallDecision SessionPolicy::EvaluateServerRequest(std::string_view word, absl::Time now) const {
  if (is_empty()) return Hidden(types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  return Judge(*rules_, ServerRequestSubject{word}, Occasion{server_, now}, kPolicyDenied);
}

bool SessionPolicy::ShowsTool(std::string_view name, absl::Time now) const {
  return CouldPass(*rules_, ToolSubject(name), now);
}

bool SessionPolicy::ShowsPrompt(std::string_view name, absl::Time now) const {
  return CouldPass(*rules_, PromptSubject(name), now);
}

bool SessionPolicy::ShowsResource(std::string_view uri, absl::Time now) const {
  const UriForms forms(uri);
  return forms.refusal().empty() &&
         CouldPass(*rules_, ResourceSubject{forms, "resources/read"}, now);
}

bool SessionPolicy::ShowsResourceTemplate(std::string_view uri_template, absl::Time now) const {
  return TemplateCouldPass(*rules_, uri_template, now);
}

}  // namespace sallyport
