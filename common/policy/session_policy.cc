#include "common/policy/session_policy.h"

#include <algorithm>
#include <iterator>
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

CallDecision JudgeNamed(const RuleTable& rules, const NamedSubject& subject,
                        const Occasion& occasion) {
  const std::string_view refusal = subject.forms.refusal();
  if (!refusal.empty()) return Refused(kPolicyDenied, {}, kNoRule, refusal);
  return Judge(rules, subject, occasion, kPolicyDenied);
}

bool ShowsNamed(const RuleTable& rules, const NamedSubject& subject, absl::Time now) {
  return subject.forms.refusal().empty() && CouldPass(rules, subject, now);
}

CallDecision JudgeMethod(const RuleTable& rules, std::string_view method,
                         const Occasion& occasion) {
  return Judge(rules, MethodSubject{method}, occasion, types::v1::DENIAL_REASON_METHOD_UNKNOWN);
}

CallDecision JudgeTemplate(const RuleTable& rules, std::string_view uri_template,
                           const Occasion& occasion) {
  if (uri_template.find('{') == std::string_view::npos) {
    return JudgeResource(rules, uri_template, "resources/read", occasion);
  }
  const UriTemplate forms(uri_template);
  if (!forms.refusal().empty()) return Refused(kPolicyDenied, {}, kNoRule, forms.refusal());
  return Judge(rules, TemplateSubject{forms, "resources/read"}, occasion, kPolicyDenied);
}

// A method that needs its rule, and what it names allowed as well.
CallDecision Both(CallDecision method, CallDecision target) {
  if (method.verdict == Verdict::kDeny || method.verdict == Verdict::kHidden) return method;
  if (target.verdict == Verdict::kRequireApproval) {
    return Refused(kPolicyDenied, target.policy, target.rule,
                   "what the request names needs an approval of its own");
  }
  if (target.verdict != Verdict::kAllow) return target;
  if (!method.observed) method.observed = std::move(target.observed);
  if (target.on_unknown <= method.on_unknown) return method;
  method.on_unknown = target.on_unknown;
  if (method.verdict == Verdict::kRequireApproval) return method;
  method.approvers = std::move(target.approvers);
  method.count = target.count;
  method.expires_after = target.expires_after;
  return method;
}

}  // namespace

SessionPolicy::SessionPolicy(std::shared_ptr<const CompiledPolicies> policies,
                             std::vector<const CompiledPolicy*> matching,
                             std::vector<const CompiledPolicy*> others, std::string_view server)
    : policies_(std::move(policies)),
      matching_(std::move(matching)),
      others_(std::move(others)),
      server_(server) {
  for (const CompiledPolicy* policy : matching_) policy_names_.push_back(policy->name);
  AddRules();
  AddTerms();
}

void SessionPolicy::AddRules() {
  auto rules = std::make_unique<RuleTable>();
  for (const CompiledPolicy* policy : matching_) {
    if (policy->observe_until != absl::InfinitePast()) rules->observing.push_back(policy);
    for (const CompiledRule& rule : policy->rules) {
      (rule.effect == CompiledRule::Effect::kDeny              ? rules->deny
       : rule.effect == CompiledRule::Effect::kRequireApproval ? rules->require_approval
                                                               : rules->allow)
          .Add(rule);
    }
  }
  for (const CompiledPolicy* policy : others_) {
    for (const CompiledRule& rule : policy->rules) {
      if (rule.effect != CompiledRule::Effect::kAllow) {
        rules->others.Add(rule);
      } else if (rule.IsDemanding()) {
        rules->asking.Add(rule);
      }
    }
  }
  for (RuleSet* set :
       {&rules->deny, &rules->require_approval, &rules->allow, &rules->others, &rules->asking}) {
    set->Seal();
  }
  rules_ = std::move(rules);
}

// The strictest of all.
void SessionPolicy::AddTerms() {
  std::vector<const CompiledPolicy*> all = matching_;
  all.insert(all.end(), others_.begin(), others_.end());
  bool has_silent = all.empty();
  bool records_nothing = !all.empty();
  for (const CompiledPolicy* policy : all) {
    const auto& masks = policy->spec.mask();
    has_silent |= masks.empty();
    mask_names_.insert(mask_names_.end(), masks.begin(), masks.end());
    records_nothing &= policy->spec.recording().content() == types::v1::RECORDING_CONTENT_NONE;
  }
  if (has_silent) mask_names_.emplace_back(kSecretsGroup);
  std::sort(mask_names_.begin(), mask_names_.end());
  mask_names_.erase(std::unique(mask_names_.begin(), mask_names_.end()), mask_names_.end());
  limits_ = LimitsOf(all, policies_->FindServer(server_));
  recording_content_ =
      records_nothing ? types::v1::RECORDING_CONTENT_NONE : types::v1::RECORDING_CONTENT_MASKED;
}

std::string SessionPolicy::DocumentOf(const types::v1::SessionLimit& limit) const {
  for (const auto* policies : {&matching_, &others_}) {
    for (const CompiledPolicy* policy : *policies) {
      if (HasLimit(policy->spec.session().limits(), limit)) return policy->name;
    }
  }
  return "server/" + server_;
}

// One for each time at which a policy stops to observe, and one for ever after.
void SessionPolicy::AddPhases() const {
  std::set<absl::Time> ends = {absl::InfiniteFuture()};
  for (const CompiledPolicy* policy : rules_->observing) ends.insert(policy->observe_until);
  for (const absl::Time end : ends) {
    // The last moment before it is as good as any other of the phase.
    phases_.push_back({end, CapabilitiesOf(*rules_, end - absl::Nanoseconds(1))});
  }
}

SessionPolicy::~SessionPolicy() = default;

std::shared_ptr<const SessionPolicy> SessionPolicy::Bind(
    std::shared_ptr<const CompiledPolicies> policies, const types::v1::Principal& principal,
    std::string_view server) {
  std::vector<const CompiledPolicy*> matching = policies->Matching(principal, server);
  return std::shared_ptr<const SessionPolicy>(
      new SessionPolicy(std::move(policies), std::move(matching), {}, server));
}

std::shared_ptr<const SessionPolicy> SessionPolicy::Bind(
    std::shared_ptr<const CompiledPolicies> policies, const types::v1::Principal& principal,
    const types::v1::Principal& opened_as, std::string_view server) {
  std::vector<const CompiledPolicy*> of_token = policies->Matching(principal, server);
  std::vector<const CompiledPolicy*> of_opening = policies->Matching(opened_as, server);
  std::sort(of_token.begin(), of_token.end());
  std::sort(of_opening.begin(), of_opening.end());
  std::vector<const CompiledPolicy*> both;
  std::vector<const CompiledPolicy*> others;
  std::set_intersection(of_token.begin(), of_token.end(), of_opening.begin(), of_opening.end(),
                        std::back_inserter(both));
  std::set_symmetric_difference(of_token.begin(), of_token.end(), of_opening.begin(),
                                of_opening.end(), std::back_inserter(others));
  const auto by_name = [](const auto* a, const auto* b) { return a->name < b->name; };
  std::sort(both.begin(), both.end(), by_name);
  std::sort(others.begin(), others.end(), by_name);
  return std::shared_ptr<const SessionPolicy>(
      new SessionPolicy(std::move(policies), std::move(both), std::move(others), server));
}

const CompiledPolicy* SessionPolicy::Find(std::string_view name) const {
  const auto found = std::find_if(matching_.begin(), matching_.end(),
                                  [&](const auto* policy) { return policy->name == name; });
  return found == matching_.end() ? nullptr : *found;
}

const UsableCapabilities& SessionPolicy::capabilities(absl::Time now) const {
  std::call_once(has_phases_, [this] { AddPhases(); });
  const auto phase = std::find_if(phases_.begin(), phases_.end() - 1,
                                  [&](const Phase& one) { return now < one.end; });
  return phase->usable;
}

CallDecision SessionPolicy::EvaluateCall(const PolicyCall& call, absl::Time now) const {
  if (is_empty()) return Hidden(types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  const Occasion occasion{server_, now};
  const auto prompt = [&] { return JudgeNamed(*rules_, PromptSubject(call.target), occasion); };
  const auto method = [&] { return JudgeMethod(*rules_, call.method, occasion); };
  const auto resource = [&] {
    return JudgeResource(*rules_, call.target, "resources/read", occasion);
  };
  switch (KindOfMethod(call.method)) {
    case MethodKind::kFree:
      return Allowed();
    case MethodKind::kTool:
      return JudgeNamed(*rules_, ToolSubject(call.target),
                        Occasion{server_, now, Arguments(call.arguments), call.cut});
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
  return ShowsNamed(*rules_, ToolSubject(name), now);
}

bool SessionPolicy::ShowsPrompt(std::string_view name, absl::Time now) const {
  return ShowsNamed(*rules_, PromptSubject(name), now);
}

bool SessionPolicy::ShowsResource(std::string_view uri, absl::Time now) const {
  const UriForms forms(uri);
  return forms.refusal().empty() &&
         CouldPass(*rules_, ResourceSubject{forms, "resources/read"}, now);
}

bool SessionPolicy::ShowsResourceTemplate(std::string_view uri_template, absl::Time now) const {
  if (uri_template.find('{') == std::string_view::npos) return ShowsResource(uri_template, now);
  const UriTemplate forms(uri_template);
  return forms.refusal().empty() && TemplateCouldPass(*rules_, forms, now);
}

}  // namespace sallyport
