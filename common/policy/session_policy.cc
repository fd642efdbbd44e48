#include "common/policy/session_policy.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/policy/common_approvers.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/detectors.h"
#include "common/policy/pattern.h"

namespace sallyport {

struct RuleTable {
  std::vector<const CompiledRule*> deny;
  std::vector<const CompiledRule*> require_approval;
  std::vector<const CompiledRule*> allow;
};

namespace {

using Outcome = CompiledCondition::Outcome;

bool AnyMatches(const std::vector<Glob>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const Glob& glob) { return glob.Matches(text); });
}

// What a rule is held against. `Restricts` is asked of deny and require_approval rules, `Grants` of
// allow rules: where a subject can be read in two ways, one reading restricts, but all must grant.
// A restricting rule's `methods` reach every method that needs a rule; an allowing rule's only
// those without a kind of their own.
struct NamedSubject {
  std::vector<Glob> CompiledRule::*kind;
  std::string_view name;
  std::string_view method;

  bool Grants(const CompiledRule& rule) const { return AnyMatches(rule.*kind, name); }
  bool Restricts(const CompiledRule& rule) const {
    return AnyMatches(rule.*kind, name) || AnyMatches(rule.methods, method);
  }
};

struct ResourceSubject {
  const UriForms& forms;
  std::string_view method;

  bool Grants(const CompiledRule& rule) const {
    return forms.All([&](std::string_view form) { return MatchesAny(rule, form); });
  }
  bool Restricts(const CompiledRule& rule) const {
    return forms.Any([&](std::string_view form) { return MatchesAny(rule, form); }) ||
           AnyMatches(rule.methods, method);
  }

 private:
  static bool MatchesAny(const CompiledRule& rule, std::string_view form) {
    return std::any_of(rule.resources.begin(), rule.resources.end(),
                       [&](const UriPattern& pattern) { return pattern.Matches(form); });
  }
};

struct MethodSubject {
  std::string_view method;

  bool Grants(const CompiledRule& rule) const { return AnyMatches(rule.methods, method); }
  bool Restricts(const CompiledRule& rule) const { return Grants(rule); }
};

struct ServerRequestSubject {
  std::string_view word;

  bool Grants(const CompiledRule& rule) const {
    return std::find(rule.server_requests.begin(), rule.server_requests.end(), word) !=
           rule.server_requests.end();
  }
  bool Restricts(const CompiledRule& rule) const { return Grants(rule); }
};

Outcome TestAll(const CompiledRule& rule, std::string_view arguments) {
  Outcome outcome = Outcome::kHolds;
  for (const CompiledCondition& condition : rule.when) {
    const Outcome one = condition.Test(arguments);
    if (one == Outcome::kAmbiguous) return one;
    if (one == Outcome::kFails) outcome = one;
  }
  return outcome;
}

CallDecision Allowed(std::string_view policy = {}) {
  return {.verdict = Verdict::kAllow, .policy = std::string(policy)};
}

CallDecision Refused(types::v1::DenialReason reason, std::string_view policy,
                     std::string_view detail = {}) {
  return {
      .verdict = Verdict::kDeny, .reason = reason, .policy = std::string(policy), .detail = detail};
}

CallDecision Hidden(types::v1::DenialReason reason) {
  return {.verdict = Verdict::kHidden, .reason = reason};
}

CallDecision Ambiguous(const CompiledRule& rule) {
  return Refused(types::v1::DENIAL_REASON_CONDITION_FAILED, rule.policy->name,
                 "the arguments can be read in more than one way");
}

CallDecision NeedsApproval(std::string_view policy, const CommonApprovers& common) {
  if (common.approvers().empty()) {
    return Refused(types::v1::DENIAL_REASON_POLICY_DENIED, policy,
                   "the rules that ask for approval have no approver in common");
  }
  return {.verdict = Verdict::kRequireApproval,
          .policy = std::string(policy),
          .approvers = common.approvers(),
          .expires_after = common.expires_after()};
}

// Deny beats approval beats allow. No answer depends on the order of rules.
template <class Subject>
CallDecision Judge(const RuleTable& rules, const Subject& subject, std::string_view arguments,
                   types::v1::DenialReason hidden) {
  const CompiledRule* ambiguous = nullptr;
  const CompiledRule* failed = nullptr;
  const auto test = [&](const CompiledRule& rule) {
    const Outcome outcome = TestAll(rule, arguments);
    if (outcome == Outcome::kAmbiguous && ambiguous == nullptr) ambiguous = &rule;
    return outcome;
  };
  for (const CompiledRule* rule : rules.deny) {
    if (subject.Restricts(*rule) && test(*rule) == Outcome::kHolds) {
      return Refused(types::v1::DENIAL_REASON_POLICY_DENIED, rule->policy->name);
    }
  }
  const CompiledRule* approving = nullptr;
  CommonApprovers common;
  for (const CompiledRule* rule : rules.require_approval) {
    if (!subject.Restricts(*rule)) continue;
    const Outcome outcome = test(*rule);
    if (outcome == Outcome::kFails && failed == nullptr) failed = rule;
    if (outcome != Outcome::kHolds) continue;
    if (approving == nullptr) approving = rule;
    common.Add(rule->approvers, rule->expires_after);
  }
  const CompiledRule* allowing = nullptr;
  for (const CompiledRule* rule : rules.allow) {
    if (!subject.Grants(*rule)) continue;
    const Outcome outcome = test(*rule);
    if (outcome == Outcome::kFails && failed == nullptr) failed = rule;
    if (outcome == Outcome::kHolds && allowing == nullptr) allowing = rule;
  }
  if (ambiguous != nullptr) return Ambiguous(*ambiguous);
  if (approving != nullptr) return NeedsApproval(approving->policy->name, common);
  if (allowing != nullptr) return Allowed(allowing->policy->name);
  if (failed != nullptr) {
    return Refused(types::v1::DENIAL_REASON_CONDITION_FAILED, failed->policy->name);
  }
  return Hidden(hidden);
}

// Whether some call of the subject could pass, whatever its arguments.
template <class Subject>
bool CouldPass(const RuleTable& rules, const Subject& subject) {
  for (const CompiledRule* rule : rules.deny) {
    if (rule->when.empty() && subject.Restricts(*rule)) return false;
  }
  const auto grants = [&](const CompiledRule* rule) { return subject.Grants(*rule); };
  const auto restricts = [&](const CompiledRule* rule) { return subject.Restricts(*rule); };
  return std::any_of(rules.allow.begin(), rules.allow.end(), grants) ||
         std::any_of(rules.require_approval.begin(), rules.require_approval.end(), restricts);
}

// Whether anything at all of a kind could pass: some rule names one, and none shuts all.
template <class Pattern>
bool AnyCouldPass(const RuleTable& rules, std::vector<Pattern> CompiledRule::*kind,
                  std::string_view method) {
  for (const CompiledRule* rule : rules.deny) {
    if (!rule->when.empty()) continue;
    const bool shuts_all = std::any_of((rule->*kind).begin(), (rule->*kind).end(),
                                       [](const Pattern& pattern) { return pattern.is_all(); });
    if (shuts_all || AnyMatches(rule->methods, method)) return false;
  }
  const auto names_some = [&](const CompiledRule* rule) { return !(rule->*kind).empty(); };
  const auto reaches = [&](const CompiledRule* rule) {
    return names_some(rule) || AnyMatches(rule->methods, method);
  };
  return std::any_of(rules.allow.begin(), rules.allow.end(), names_some) ||
         std::any_of(rules.require_approval.begin(), rules.require_approval.end(), reaches);
}

CallDecision JudgeResource(const RuleTable& rules, std::string_view uri, std::string_view method) {
  const UriForms forms(uri);
  if (!forms.refusal().empty()) {
    return Refused(types::v1::DENIAL_REASON_POLICY_DENIED, {}, forms.refusal());
  }
  return Judge(rules, ResourceSubject{forms, method}, {}, types::v1::DENIAL_REASON_POLICY_DENIED);
}

CallDecision JudgeMethod(const RuleTable& rules, std::string_view method) {
  return Judge(rules, MethodSubject{method}, {}, types::v1::DENIAL_REASON_METHOD_UNKNOWN);
}

// A method that needs its rule, and what it names allowed as well.
CallDecision Both(CallDecision method, const CallDecision& target) {
  if (method.verdict == Verdict::kDeny || method.verdict == Verdict::kHidden) return method;
  if (target.verdict == Verdict::kRequireApproval) {
    return Refused(types::v1::DENIAL_REASON_POLICY_DENIED, target.policy,
                   "what the request names needs an approval of its own");
  }
  return target.verdict == Verdict::kAllow ? method : target;
}

bool TemplateCouldPass(const RuleTable& rules, std::string_view uri_template) {
  const std::size_t brace = uri_template.find('{');
  if (brace == std::string_view::npos) {
    const UriForms forms(uri_template);
    return forms.refusal().empty() && CouldPass(rules, ResourceSubject{forms, "resources/read"});
  }
  const std::string_view prefix = uri_template.substr(0, brace);
  // A template may begin with a variable: then anything could come of it.
  const UriForms forms(prefix.empty() ? "x" : prefix);
  if (!prefix.empty() && !forms.refusal().empty()) return false;
  if (!AnyCouldPass(rules, &CompiledRule::resources, "resources/read")) return false;
  const auto reaches = [&](const CompiledRule* rule) {
    return std::any_of(
        rule->resources.begin(), rule->resources.end(), [&](const UriPattern& pattern) {
          return prefix.empty() ||
                 forms.All([&](std::string_view form) { return pattern.CouldMatchAfter(form); });
        });
  };
  return std::any_of(rules.allow.begin(), rules.allow.end(), reaches) ||
         std::any_of(rules.require_approval.begin(), rules.require_approval.end(), reaches);
}

CallDecision JudgeTemplate(const RuleTable& rules, std::string_view uri_template) {
  return TemplateCouldPass(rules, uri_template) ? Allowed()
                                                : Hidden(types::v1::DENIAL_REASON_POLICY_DENIED);
}

NamedSubject ToolSubject(std::string_view name) {
  return {&CompiledRule::tools, name, "tools/call"};
}

NamedSubject PromptSubject(std::string_view name) {
  return {&CompiledRule::prompts, name, "prompts/get"};
}

UsableCapabilities CapabilitiesOf(const RuleTable& rules) {
  const auto allows_request = [&](std::string_view word) {
    return CouldPass(rules, ServerRequestSubject{word});
  };
  UsableCapabilities usable;
  usable.tools = AnyCouldPass(rules, &CompiledRule::tools, "tools/call");
  usable.resources = AnyCouldPass(rules, &CompiledRule::resources, "resources/read");
  usable.subscriptions = usable.resources && CouldPass(rules, MethodSubject{"resources/subscribe"});
  usable.prompts = AnyCouldPass(rules, &CompiledRule::prompts, "prompts/get");
  usable.completions = CouldPass(rules, MethodSubject{"completion/complete"}) &&
                       (usable.resources || usable.prompts);
  usable.logging = CouldPass(rules, MethodSubject{"logging/setLevel"});
  usable.task_extension = usable.tools && CouldPass(rules, MethodSubject{"tasks/get"});
  usable.tasks = usable.task_extension && CouldPass(rules, MethodSubject{"tasks/result"});
  usable.task_list = usable.tasks && CouldPass(rules, MethodSubject{"tasks/list"});
  usable.task_cancel = usable.tasks && CouldPass(rules, MethodSubject{"tasks/cancel"});
  usable.sampling = allows_request("sampling");
  usable.elicitation = allows_request("elicitation");
  usable.roots = allows_request("roots");
  return usable;
}

}  // namespace

SessionPolicy::SessionPolicy(std::shared_ptr<const CompiledPolicies> policies,
                             std::vector<const CompiledPolicy*> matching)
    : policies_(std::move(policies)), recording_content_(types::v1::RECORDING_CONTENT_MASKED) {
  auto rules = std::make_unique<RuleTable>();
  std::set<std::string> masks;
  bool records_nothing = !matching.empty();
  for (const CompiledPolicy* policy : matching) {
    policy_names_.push_back(policy->name);
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
  capabilities_ = CapabilitiesOf(*rules);
  rules_ = std::move(rules);
}

SessionPolicy::~SessionPolicy() = default;

std::shared_ptr<const SessionPolicy> SessionPolicy::Bind(
    std::shared_ptr<const CompiledPolicies> policies, const types::v1::Principal& principal,
    std::string_view server) {
  std::vector<const CompiledPolicy*> matching = policies->Matching(principal, server);
  return std::shared_ptr<const SessionPolicy>(
      new SessionPolicy(std::move(policies), std::move(matching)));
}

CallDecision SessionPolicy::EvaluateCall(const PolicyCall& call) const {
  if (is_empty()) return Hidden(types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  switch (KindOfMethod(call.method)) {
    case MethodKind::kFree:
      return Allowed();
    case MethodKind::kTool:
      return Judge(*rules_, ToolSubject(call.target), call.arguments,
                   types::v1::DENIAL_REASON_POLICY_DENIED);
    case MethodKind::kResource:
      return JudgeResource(*rules_, call.target, call.method);
    case MethodKind::kPrompt:
      return Judge(*rules_, PromptSubject(call.target), {}, types::v1::DENIAL_REASON_POLICY_DENIED);
    case MethodKind::kCompletion:
      return Both(JudgeMethod(*rules_, call.method),
                  call.ref_is_resource ? JudgeTemplate(*rules_, call.target)
                                       : Judge(*rules_, PromptSubject(call.target), {},
                                               types::v1::DENIAL_REASON_POLICY_DENIED));
    case MethodKind::kSubscribe:
      return Both(JudgeMethod(*rules_, call.method),
                  JudgeResource(*rules_, call.target, "resources/read"));
    case MethodKind::kListen:
      // The stream as such; each of its URIs is judged by itself.
      if (call.target.empty()) return JudgeMethod(*rules_, call.method);
      return Both(JudgeMethod(*rules_, call.method),
                  JudgeResource(*rules_, call.target, "resources/read"));
    case MethodKind::kRootsList:
      if (capabilities_.roots) return Allowed();
      return JudgeMethod(*rules_, call.method);
    case MethodKind::kOther:
      break;
  }
  return JudgeMethod(*rules_, call.method);
}

CallDecision SessionPolicy::EvaluateServerRequest(std::string_view word) const {
  if (is_empty()) return Hidden(types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  return Judge(*rules_, ServerRequestSubject{word}, {}, types::v1::DENIAL_REASON_POLICY_DENIED);
}

bool SessionPolicy::ShowsTool(std::string_view name) const {
  return CouldPass(*rules_, ToolSubject(name));
}

bool SessionPolicy::ShowsPrompt(std::string_view name) const {
  return CouldPass(*rules_, PromptSubject(name));
}

bool SessionPolicy::ShowsResource(std::string_view uri) const {
  const UriForms forms(uri);
  return forms.refusal().empty() && CouldPass(*rules_, ResourceSubject{forms, "resources/read"});
}

bool SessionPolicy::ShowsResourceTemplate(std::string_view uri_template) const {
  return TemplateCouldPass(*rules_, uri_template);
}

}  // namespace sallyport
