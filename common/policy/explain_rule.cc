#include "common/policy/explain_rule.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/judge.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using Outcome = CompiledCondition::Outcome;

std::string_view EffectWord(CompiledRule::Effect effect) {
  return effect == CompiledRule::Effect::kAllow             ? "allow"
         : effect == CompiledRule::Effect::kRequireApproval ? "require_approval"
                                                            : "deny";
}

// `tools "get-*"`, by the first pattern that matches; empty: none does.
template <class Pattern>
std::string NamedBy(std::string_view key, const std::vector<Pattern>& patterns,
                    std::string_view text) {
  for (const Pattern& pattern : patterns) {
    if (pattern.Matches(text)) return absl::StrCat(ToAbsl(key), " \"", pattern.text(), "\"");
  }
  return {};
}

// What of the rule names the subject, as judge.h has it; empty: nothing.
template <class Subject, class Pattern>
std::string NamedBy(const CompiledRule& rule, const Subject& subject, std::string_view key,
                    const std::vector<Pattern>& patterns, std::string_view text) {
  const bool is_named =
      rule.effect == CompiledRule::Effect::kAllow ? subject.Grants(rule) : subject.Restricts(rule);
  if (!is_named) return {};
  std::string by = NamedBy(key, patterns, text);
  if (by.empty()) by = NamedBy("methods", rule.methods, subject.method);
  // Another form than the one that was written.
  return by.empty() ? std::string(key) : by;
}

std::string NamedBy(const CompiledRule& rule, const PolicyCall& call) {
  const auto method = [&] { return NamedBy("methods", rule.methods, call.method); };
  const auto named = [&](const NamedSubject& subject, std::string_view key, const auto& patterns) {
    if (!subject.forms.refusal().empty()) return std::string();
    return NamedBy(rule, subject, key, patterns, call.target);
  };
  const auto prompt = [&] { return named(PromptSubject(call.target), "prompts", rule.prompts); };
  const auto resource = [&] {
    const UriForms forms(call.target);
    if (!forms.refusal().empty()) return std::string();
    return NamedBy(rule, ResourceSubject{forms, "resources/read"}, "resources", rule.resources,
                   call.target);
  };
  const auto uri_template = [&] {
    if (call.target.find('{') == std::string_view::npos) return resource();
    const UriTemplate forms(call.target);
    if (!forms.refusal().empty()) return std::string();
    return NamedBy(rule, TemplateSubject{forms, "resources/read"}, "resources", rule.resources,
                   call.target);
  };
  const auto either = [](std::string one, std::string other) {
    return one.empty() || other.empty() ? one + other : absl::StrCat(one, " and ", other);
  };
  switch (KindOfMethod(call.method)) {
    case MethodKind::kFree:
      return {};
    case MethodKind::kTool:
      return named(ToolSubject(call.target), "tools", rule.tools);
    case MethodKind::kResource:
      return resource();
    case MethodKind::kPrompt:
      return prompt();
    case MethodKind::kCompletion:
      return either(method(), call.ref_is_resource ? uri_template() : prompt());
    case MethodKind::kSubscribe:
    case MethodKind::kListen:
      return call.target.empty() ? method() : either(method(), resource());
    case MethodKind::kRootsList:
    case MethodKind::kOther:
      break;
  }
  return method();
}

std::string NamedBy(const CompiledRule& rule, const Question& question) {
  if (question.server_request.empty()) return NamedBy(rule, question.call);
  const bool is_named = ServerRequestSubject{question.server_request}.Grants(rule);
  return is_named ? "server_requests" : std::string();
}

std::string_view WhyNot(Outcome outcome) {
  switch (outcome) {
    case Outcome::kHoldsForSome:
      return " does not hold both for the number to its last digit and for the double that it is";
    case Outcome::kAmbiguous:
      return " can be read in more than one way";
    case Outcome::kTooLong:
      return " is longer than a condition reads";
    default:
      return " does not hold";
  }
}

// The first condition that does not hold, as a sentence; empty: all hold.
std::string FailedCondition(const CompiledRule& rule, const Arguments& arguments) {
  const bool grants = rule.effect == CompiledRule::Effect::kAllow;
  for (std::size_t i = 0; i < rule.when.size(); ++i) {
    const Outcome outcome = rule.when[i].Test(arguments);
    if (outcome == Outcome::kHolds || (outcome == Outcome::kHoldsForSome && !grants)) continue;
    return absl::StrCat("when[", i, "] on ", rule.when[i].path(), ToAbsl(WhyNot(outcome)));
  }
  return {};
}

}  // namespace

bool SpeaksFor(const CompiledRule& rule, const Question& question) {
  // What the server may ask decides it.
  if (question.server_request.empty() &&
      KindOfMethod(question.call.method) == MethodKind::kRootsList) {
    return true;
  }
  return !NamedBy(rule, question).empty();
}

types::v1::RuleExplanation ExplainRule(const CompiledRule& rule, const Question& question) {
  types::v1::RuleExplanation about;
  about.set_rule(static_cast<std::uint32_t>(rule.index));
  about.set_effect(std::string(EffectWord(rule.effect)));
  const std::string named_by = NamedBy(rule, question);
  if (named_by.empty()) {
    about.set_why("no pattern of it names this");
    return about;
  }
  const std::string failed = FailedCondition(rule, Arguments(question.call.arguments));
  about.set_matches(failed.empty());
  std::string why = absl::StrCat(named_by, failed.empty() ? "" : ", but ", failed);
  if (rule.once) absl::StrAppend(&why, "; once by ", absl::StrJoin(rule.once->by, ", "));
  if (rule.limit) absl::StrAppend(&why, "; limit by ", rule.limit->count);
  about.set_why(std::move(why));
  return about;
}

}  // namespace sallyport
