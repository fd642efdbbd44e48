#include "controlplane/policies/call_judge.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/rule_body.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyAnswer;
using Kind = RecordedCall::Kind;
using Outcome = RecordedCall::Outcome;

constexpr std::size_t kMostUnsureRules = 6;
constexpr std::size_t kMostVariants = 4096;

constexpr char kAllow[] = "allow";
constexpr char kRequireApproval[] = "require_approval";
constexpr char kDeny[] = "deny";

bool IsSame(const PolicyAnswer& a, const PolicyAnswer& b) {
  return a.decision() == b.decision() && a.reason() == b.reason() && AskTheSame(a, b);
}

// One that only a rule about all names has in mind, where what it was is not known.
std::string_view TargetOf(const RecordedCall& call) {
  return call.is_target_hidden ? std::string_view("hidden:it") : std::string_view(call.target);
}

PolicyCall PolicyCallOf(const RecordedCall& call, bool ref_is_resource) {
  return {.method = call.method,
          .target = TargetOf(call),
          .ref_is_resource = ref_is_resource,
          .arguments =
              call.arguments.has_value() ? std::string_view(*call.arguments) : std::string_view()};
}

PolicyAnswer Evaluate(const SessionPolicy& policy, const RecordedCall& call,
                      bool ref_is_resource = false) {
  return AnswerOf(policy.EvaluateCall(PolicyCallOf(call, ref_is_resource), call.at));
}

// One is the other or lies in it.
bool Overlap(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '/');
}

// Whether the recording shows what stands at a pointer into the arguments.
bool Shows(const RecordedCall& call, std::string_view pointer) {
  return call.arguments.has_value() &&
         std::none_of(call.masked.begin(), call.masked.end(),
                      [&](const std::string& masked) { return Overlap(masked, pointer); });
}

using Patterns = google::protobuf::RepeatedPtrField<std::string>;

// Some names and not others.
bool AreSome(const Patterns& patterns) {
  return !patterns.empty() && std::ranges::none_of(patterns, [](const std::string& pattern) {
    return pattern.find_first_not_of('*') == std::string::npos;
  });
}

bool IsOfTool(const RecordedCall& call) { return call.method == "tools/call"; }
bool IsOfPrompt(const RecordedCall& call) { return call.method == "prompts/get"; }
bool IsCompletion(const RecordedCall& call) { return call.method == "completion/complete"; }
bool IsOfResource(const RecordedCall& call) {
  return call.method.starts_with("resources/") || call.method == "subscriptions/listen";
}

// Whether a rule could name what the call did, and could as well not.
bool MayName(const RecordedCall& call, const types::v1::RuleBody& body) {
  return (IsOfTool(call) && AreSome(body.tools())) ||
         ((IsOfPrompt(call) || IsCompletion(call)) && AreSome(body.prompts())) ||
         ((IsOfResource(call) || IsCompletion(call)) && AreSome(body.resources()));
}

types::v1::Condition NeverHolds() {
  types::v1::Condition condition;
  condition.set_path("/x");
  condition.set_matches(R"([^\s\S])");
  return condition;
}

std::string NotShown(const RecordedCall& call, std::string_view pointer) {
  return call.arguments.has_value() ? absl::StrCat(std::string(pointer), ", which was masked")
                                    : "arguments, which were not recorded";
}

constexpr char kNotShownTarget[] = "what it names was masked or not recorded";

}  // namespace

bool AskTheSame(const PolicyAnswer& a, const PolicyAnswer& b) {
  return a.count() == b.count() &&
         std::set<std::string>(a.approvers().begin(), a.approvers().end()) ==
             std::set<std::string>(b.approvers().begin(), b.approvers().end());
}

PolicyAnswer AnswerOf(const CallDecision& decision) {
  PolicyAnswer answer;
  answer.set_policy(decision.policy);
  answer.set_detail(std::string(decision.detail));
  if (decision.observed.has_value()) answer.set_observed(decision.observed->reason);
  switch (decision.verdict) {
    case Verdict::kAllow:
      answer.set_decision(kAllow);
      return answer;
    case Verdict::kRequireApproval:
      answer.set_decision(kRequireApproval);
      *answer.mutable_approvers() = {decision.approvers.begin(), decision.approvers.end()};
      answer.set_count(decision.count);
      return answer;
    case Verdict::kDeny:
    case Verdict::kHidden:
      break;
  }
  answer.set_decision(kDeny);
  answer.set_reason(decision.reason);
  return answer;
}

PolicyAnswer AnswerOf(const OpenDecision& decision) {
  PolicyAnswer answer;
  answer.set_detail(decision.detail);
  if (decision.observed.has_value()) answer.set_observed(decision.observed->reason);
  if (!decision.is_allowed()) {
    answer.set_decision(kDeny);
    answer.set_reason(decision.reason);
    if (!decision.lock.empty()) answer.set_detail("lock " + decision.lock);
    return answer;
  }
  answer.set_policy(absl::StrJoin(decision.policies, ", "));
  answer.set_decision(decision.terms.has_approval() ? kRequireApproval : kAllow);
  if (decision.terms.has_approval()) {
    *answer.mutable_approvers() = decision.terms.approval().approvers();
    answer.set_count(std::max(decision.terms.approval().count(), 1U));
  }
  return answer;
}

PolicyAnswer AnswerOf(const RecordedCall& call) {
  PolicyAnswer answer;
  answer.set_policy(call.policy);
  answer.set_decision(call.outcome == Outcome::kPassed    ? kAllow
                      : call.outcome == Outcome::kRefused ? kDeny
                                                          : kRequireApproval);
  answer.set_reason(call.reason);
  return answer;
}

bool NeedsRule(std::string_view method) {
  // What a policy without a rule lets through needs none.
  static const auto* const bare = [] {
    types::v1::Document document;
    document.set_kind(types::v1::DOCUMENT_KIND_POLICY);
    document.set_name("bare");
    document.mutable_policy()->add_principals()->set_realm("any");
    document.mutable_policy()->add_servers("*");
    types::v1::Principal principal;
    principal.set_realm("any");
    return new std::shared_ptr<const SessionPolicy>(
        SessionPolicy::Bind(*CompiledPolicies::Compile({document}), principal, "any"));
  }();
  return (*bare)->EvaluateCall({.method = method}, absl::UnixEpoch()).verdict != Verdict::kAllow;
}

absl::StatusOr<CallJudge> CallJudge::Create(std::vector<types::v1::Document> documents) {
  CallJudge judge(std::move(documents));
  ASSIGN_OR_RETURN(judge.compiled_, CompiledPolicies::Compile(judge.documents_));
  return judge;
}

void CallJudge::Bind(const types::v1::Session& session) {
  if (session.id() == session_id_ && policy_ != nullptr) return;
  session_id_ = session.id();
  principal_ = session.principal();
  server_ = session.server();
  policy_ = SessionPolicy::Bind(compiled_, principal_, server_);
  variants_.clear();
}

CallJudge::Judgement CallJudge::Judge(const types::v1::Session& session, const RecordedCall& call) {
  Bind(session);
  const OpenDecision open = compiled_->EvaluateOpen(principal_, server_, session.agent(), call.at);
  if (call.kind == Kind::kOpening || !open.is_allowed()) return {.answer = AnswerOf(open)};
  if (call.kind == Kind::kServerRequest) {
    return {.answer = AnswerOf(policy_->EvaluateServerRequest(call.method, call.at))};
  }
  Judgement judgement;
  if (const std::vector<UnsureRule> unsure = UnsureRulesFor(call); !unsure.empty()) {
    judgement = JudgeUnsure(call, unsure);
  } else if (!call.ref_is_resource.has_value() && IsCompletion(call)) {
    judgement = JudgeCompletion(call);
  } else {
    judgement.answer = Evaluate(*policy_, call, call.ref_is_resource.value_or(false));
  }
  if (call.is_target_hidden && judgement.answer.has_value() && IsStillOpen(call, *judgement.answer))
    return {.undecided = kNotShownTarget};
  return judgement;
}

bool CallJudge::IsStillOpen(const RecordedCall& call, const PolicyAnswer& answer) const {
  // Nor is it known whether it names any: without one, a stream goes by its method.
  if (call.target.empty() && call.method == "subscriptions/listen") {
    const CallDecision stream = policy_->EvaluateCall({.method = call.method}, call.at);
    return !IsSame(AnswerOf(stream), answer);
  }
  // No policy lets a URI through that has no one meaning.
  return call.outcome == Outcome::kRefused && !IsOfTool(call) && !IsOfPrompt(call) &&
         answer.decision() != kDeny;
}

CallJudge::Judgement CallJudge::JudgeCompletion(const RecordedCall& call) const {
  PolicyAnswer as_prompt = Evaluate(*policy_, call, false);
  if (IsSame(as_prompt, Evaluate(*policy_, call, true))) return {.answer = std::move(as_prompt)};
  return {.undecided = "the recording does not say whether it completes a prompt or a resource"};
}

std::vector<CallJudge::UnsureRule> CallJudge::UnsureRulesFor(const RecordedCall& call) const {
  std::vector<UnsureRule> unsure;
  if (!IsOfTool(call) && !call.is_target_hidden) return unsure;
  const std::vector<std::string>& names = policy_->policy_names();
  for (const types::v1::Document& document : documents_) {
    if (!document.has_policy()) continue;
    if (std::find(names.begin(), names.end(), document.name()) == names.end()) continue;
    for (int i = 0; i < document.policy().rules_size(); ++i) {
      const types::v1::RuleBody& body = BodyOf(document.policy().rules(i));
      UnsureRule rule{.document = &document, .rule = i};
      if (call.is_target_hidden && MayName(call, body)) {
        rule.names = true;
        // Beside its names a rule about tools has conditions, and one about a template its ways.
        rule.is_open = IsOfTool(call) || IsCompletion(call);
        rule.why = absl::StrCat("rules[", i, "] of ", document.name(), ": ", kNotShownTarget);
        unsure.push_back(std::move(rule));
        continue;
      }
      if (!IsOfTool(call) || !NamesTool(body, TargetOf(call))) continue;
      const auto look_at = [&](const std::string& pointer) {
        if (Shows(call, pointer)) return false;
        rule.why =
            absl::StrCat("rules[", i, "] of ", document.name(), " reads ", NotShown(call, pointer));
        return true;
      };
      for (int c = 0; c < body.when_size(); ++c) {
        if (look_at(body.when(c).path())) rule.conditions.push_back(c);
      }
      for (const std::string& by : body.once().by()) rule.is_open |= look_at(by);
      if (body.has_limit()) rule.is_open |= look_at(body.limit().count());
      if (!rule.why.empty()) unsure.push_back(std::move(rule));
    }
  }
  return unsure;
}

CallJudge::Judgement CallJudge::JudgeUnsure(const RecordedCall& call,
                                            const std::vector<UnsureRule>& unsure) {
  const auto open = std::find_if(unsure.begin(), unsure.end(),
                                 [](const UnsureRule& rule) { return rule.is_open; });
  if (open != unsure.end() || unsure.size() > kMostUnsureRules) {
    return {.undecided = (open != unsure.end() ? *open : unsure.front()).why};
  }
  std::optional<PolicyAnswer> answer;
  for (unsigned holding = 0; holding < 1U << unsure.size(); ++holding) {
    const std::shared_ptr<const SessionPolicy> variant = Variant(call, unsure, holding);
    if (variant == nullptr) return {.undecided = unsure.front().why};
    PolicyAnswer one = Evaluate(*variant, call);
    if (answer.has_value() && !IsSame(*answer, one)) return {.undecided = unsure.front().why};
    answer = std::move(one);
  }
  return {.answer = std::move(answer)};
}

void CallJudge::Settle(const RecordedCall& call, const UnsureRule& unsure, bool holds,
                       types::v1::RuleBody& body) {
  if (unsure.names) {
    Patterns& patterns = IsOfPrompt(call) ? *body.mutable_prompts() : *body.mutable_resources();
    patterns.Clear();
    *patterns.Add() = holds ? "*" : "none:it";
    return;
  }
  auto& when = *body.mutable_when();
  for (auto c = unsure.conditions.rbegin(); c != unsure.conditions.rend(); ++c) {
    when.erase(when.begin() + *c);
  }
  if (!holds) *when.Add() = NeverHolds();
}

std::shared_ptr<const SessionPolicy> CallJudge::Variant(const RecordedCall& call,
                                                        const std::vector<UnsureRule>& unsure,
                                                        unsigned holding) {
  std::string key = absl::StrCat(IsOfPrompt(call)     ? "prompt"
                                 : IsOfResource(call) ? "resource"
                                                      : "",
                                 holding);
  for (const UnsureRule& rule : unsure) {
    absl::StrAppend(&key, "|", rule.document->name(), ":", rule.rule, ":",
                    absl::StrJoin(rule.conditions, ","));
  }
  if (variants_.size() > kMostVariants) variants_.clear();
  std::shared_ptr<const SessionPolicy>& variant = variants_[key];
  if (variant != nullptr) return variant;
  std::vector<types::v1::Document> documents;
  for (const types::v1::Document& original : documents_) {
    if (original.has_lock()) continue;
    types::v1::Document& document = documents.emplace_back(original);
    for (std::size_t i = 0; i < unsure.size(); ++i) {
      if (unsure[i].document != &original) continue;
      Settle(call, unsure[i], (holding >> i & 1U) != 0,
             MutableBodyOf(*document.mutable_policy()->mutable_rules(unsure[i].rule)));
    }
  }
  const auto compiled = CompiledPolicies::Compile(documents);
  if (compiled.ok()) variant = SessionPolicy::Bind(*compiled, principal_, server_);
  return variant;
}

}  // namespace sallyport::controlplane
