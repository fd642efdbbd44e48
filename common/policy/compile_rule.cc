#include "common/policy/compile_rule.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/argument.h"
#include "common/policy/documents.h"
#include "common/policy/proto_duration.h"
#include "common/policy/spec_checks.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using Effect = CompiledRule::Effect;

// A rule that would say nothing about what it names.
absl::Status CheckMethodPattern(const std::string& place, const std::string& pattern,
                                Effect effect) {
  const MethodKind kind = KindOfMethod(pattern);
  if (kind == MethodKind::kFree) {
    return WrongAt(place, absl::StrCat(pattern, " passes with every session and takes no rule"));
  }
  if (effect != Effect::kAllow) return absl::OkStatus();
  if (kind == MethodKind::kTool || pattern == "tools/*") {
    return WrongAt(place, absl::StrCat(pattern, " is allowed by naming tools"));
  }
  if (kind == MethodKind::kResource) {
    return WrongAt(place, absl::StrCat(pattern, " is allowed by naming resources"));
  }
  if (kind == MethodKind::kPrompt || pattern == "prompts/*") {
    return WrongAt(place, absl::StrCat(pattern, " is allowed by naming prompts"));
  }
  return absl::OkStatus();
}

absl::Status CheckServerRequests(const std::string& place, const types::v1::RuleBody& body,
                                 Effect effect) {
  for (const std::string& word : body.server_requests()) {
    if (word != "sampling" && word != "elicitation" && word != "roots") {
      return WrongAt(place, absl::StrCat("\"", word, "\" is not sampling, elicitation or roots"));
    }
  }
  if (!body.server_requests().empty() && effect == Effect::kRequireApproval) {
    return WrongAt(place, "server_requests are allowed or denied: nobody is asked");
  }
  return absl::OkStatus();
}

template <class Pattern, class Strings>
absl::Status CompilePatterns(std::string_view place, const Strings& texts,
                             std::vector<Pattern>& patterns) {
  for (const std::string& text : texts) {
    if (text.empty()) return WrongAt(place, "an empty pattern matches nothing");
    patterns.emplace_back(text);
  }
  return absl::OkStatus();
}

absl::Status CompileResources(const std::string& place, const types::v1::RuleBody& body,
                              std::vector<UriPattern>& patterns) {
  for (const std::string& text : body.resources()) {
    const std::string_view refusal = UriForms(text).refusal();
    if (!refusal.empty()) {
      return WrongAt(place, absl::StrCat("\"", text, "\": ", ToAbsl(refusal)));
    }
    if (UriPattern::CutsEncoded(text)) {
      return WrongAt(place, absl::StrCat("\"", text,
                                         "\": a star cuts an encoded character: % by "
                                         "itself is written %25"));
    }
  }
  return CompilePatterns(place, body.resources(), patterns);
}

bool NamesToolsAlone(const types::v1::RuleBody& body) {
  return !body.tools().empty() && body.resources().empty() && body.prompts().empty() &&
         body.methods().empty() && body.server_requests().empty();
}

absl::Status CompileWhen(const std::string& place, const types::v1::RuleBody& body,
                         CompiledRule& rule) {
  if (body.when().empty()) return absl::OkStatus();
  if (!NamesToolsAlone(body)) {
    return WrongAt(place + ".when", "when stands beside tools and nothing else: split the rule");
  }
  for (int i = 0; i < body.when_size(); ++i) {
    absl::StatusOr<CompiledCondition> condition = CompiledCondition::Compile(body.when(i));
    if (!condition.ok()) return InPlace(absl::StrCat(place, ".when[", i, "]"), condition.status());
    rule.when.push_back(*std::move(condition));
  }
  return absl::OkStatus();
}

absl::Status CompileApproval(const std::string& place, const types::v1::RuleBody& body,
                             const types::v1::SessionTerms& session, CompiledRule& rule) {
  if (rule.effect != Effect::kRequireApproval &&
      (!body.approvers().empty() || body.count() != 0 || body.has_expires_after())) {
    return WrongAt(place, "approvers, count and expires_after stand in require_approval only");
  }
  if (rule.effect == Effect::kDeny) return absl::OkStatus();
  const types::v1::ApprovalTerms& fallback = session.approval();
  const bool has_own = !body.approvers().empty();
  const auto& approvers = has_own ? body.approvers() : fallback.approvers();
  if (approvers.empty() && rule.effect == Effect::kRequireApproval) {
    return WrongAt(place, "approvers is missing, and session.approval has none to take");
  }
  for (const std::string& approver : approvers) {
    RETURN_IF_ERROR(CheckRealmName(place + ".approvers", approver));
    rule.approvers.push_back(approver);
  }
  RETURN_IF_ERROR(CheckCount(place + ".count", body.count()));
  rule.count = std::max({body.count(), body.count() == 0 && !has_own ? fallback.count() : 0, 1U});
  rule.expires_after = kDefaultApprovalExpiry;
  if (fallback.has_expires_after()) rule.expires_after = ToAbslDuration(fallback.expires_after());
  if (body.has_expires_after()) {
    RETURN_IF_ERROR(CheckRange(place + ".expires_after", body.expires_after(), absl::Seconds(1),
                               kLongestMaxDuration));
    rule.expires_after = ToAbslDuration(body.expires_after());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ParseSteps(const std::string& place,
                                                    const std::string& pointer) {
  if (pointer.empty()) return WrongAt(place, "a pointer is missing, such as /payment_id");
  absl::StatusOr<std::vector<std::string>> steps = ParsePointer(pointer);
  if (!steps.ok()) return InPlace(place, steps.status());
  return steps;
}

absl::Status CompileOnce(const std::string& place, const types::v1::RuleBody& body,
                         CompiledRule& rule) {
  CompiledOnce& once = rule.once.emplace();
  // In one order, whatever the document's: they are one effect.
  std::vector<std::string> by(body.once().by().begin(), body.once().by().end());
  if (by.empty()) return WrongAt(place, "by is missing: the arguments that make a call its own");
  std::sort(by.begin(), by.end());
  if (std::adjacent_find(by.begin(), by.end()) != by.end()) {
    return WrongAt(place + ".by", "a pointer stands there twice");
  }
  for (const std::string& pointer : by) {
    ASSIGN_OR_RETURN(once.steps.emplace_back(), ParseSteps(place + ".by", pointer));
  }
  if (body.once().has_within()) {
    RETURN_IF_ERROR(CheckRange(place + ".within", body.once().within(), absl::Seconds(1),
                               kLongestEffectWindow));
    once.within = ToAbslDuration(body.once().within());
  }
  once.by = std::move(by);
  return absl::OkStatus();
}

absl::Status CompileLimit(const std::string& place, const types::v1::RuleBody& body,
                          const types::v1::SessionTerms& session, CompiledRule& rule) {
  CompiledLimit& limit = rule.limit.emplace();
  const types::v1::ObjectLimit& source = body.limit();
  ASSIGN_OR_RETURN(limit.steps, ParseSteps(place + ".count", source.count()));
  if (source.per_call() == 0 && source.per_window() == 0) {
    return WrongAt(place, "needs per_call, per_window or both, and none of them 0");
  }
  if (source.has_window()) {
    if (source.per_window() == 0) return WrongAt(place + ".window", "stands beside per_window");
    RETURN_IF_ERROR(
        CheckRange(place + ".window", source.window(), absl::Seconds(1), kLongestEffectWindow));
  }
  limit.count = source.count();
  limit.per_call = source.per_call();
  limit.per_window = source.per_window();
  limit.window = WindowOf(source, session);
  return absl::OkStatus();
}

absl::Status CompileOnUnknown(const std::string& place, const types::v1::RuleBody& body,
                              CompiledRule& rule) {
  const bool has_someone_to_ask = !rule.approvers.empty();
  rule.on_unknown = body.on_unknown();
  if (rule.on_unknown == types::v1::ON_UNKNOWN_UNSPECIFIED) {
    const bool asks = rule.once.has_value() || rule.effect == Effect::kRequireApproval;
    rule.on_unknown = !asks                ? types::v1::ON_UNKNOWN_ALLOW
                      : has_someone_to_ask ? types::v1::ON_UNKNOWN_ASK
                                           : types::v1::ON_UNKNOWN_DENY;
  }
  if (rule.on_unknown == types::v1::ON_UNKNOWN_ASK && !has_someone_to_ask) {
    return WrongAt(place + ".on_unknown",
                   "there is nobody to ask: session.approval has no approvers");
  }
  return absl::OkStatus();
}

// once, limit and on_unknown: what holds for a call that the rule lets through.
absl::Status CompileEffects(const std::string& place, const types::v1::RuleBody& body,
                            const types::v1::SessionTerms& session, CompiledRule& rule) {
  const bool has_on_unknown = body.on_unknown() != types::v1::ON_UNKNOWN_UNSPECIFIED;
  if (rule.effect == Effect::kDeny) {
    if (!body.has_once() && !body.has_limit() && !has_on_unknown) return absl::OkStatus();
    return WrongAt(place, "once, limit and on_unknown stand in allow and require_approval only");
  }
  if ((body.has_once() || body.has_limit()) && !NamesToolsAlone(body)) {
    return WrongAt(place, "once and limit stand beside tools and nothing else: split the rule");
  }
  if (body.has_once()) RETURN_IF_ERROR(CompileOnce(place + ".once", body, rule));
  if (body.has_limit()) RETURN_IF_ERROR(CompileLimit(place + ".limit", body, session, rule));
  return CompileOnUnknown(place, body, rule);
}

absl::Status CompileNames(const std::string& place, const types::v1::RuleBody& body,
                          CompiledRule& rule) {
  if (body.tools().empty() && body.resources().empty() && body.prompts().empty() &&
      body.methods().empty() && body.server_requests().empty()) {
    return WrongAt(place,
                   "names nothing: give it tools, resources, prompts, methods or "
                   "server_requests");
  }
  for (const std::string& method : body.methods()) {
    RETURN_IF_ERROR(CheckMethodPattern(place + ".methods", method, rule.effect));
  }
  RETURN_IF_ERROR(CheckServerRequests(place + ".server_requests", body, rule.effect));
  RETURN_IF_ERROR(CompilePatterns(place + ".tools", body.tools(), rule.tools));
  RETURN_IF_ERROR(CompilePatterns(place + ".prompts", body.prompts(), rule.prompts));
  RETURN_IF_ERROR(CompilePatterns(place + ".methods", body.methods(), rule.methods));
  RETURN_IF_ERROR(CompileResources(place + ".resources", body, rule.resources));
  rule.server_requests.assign(body.server_requests().begin(), body.server_requests().end());
  return absl::OkStatus();
}

}  // namespace

absl::Status CompileRule(const std::string& rule_place, const types::v1::Rule& source,
                         const types::v1::SessionTerms& session, CompiledRule& rule) {
  if (source.has_allow() + source.has_require_approval() + source.has_deny() != 1) {
    return WrongAt(rule_place, "needs exactly one of allow, require_approval and deny");
  }
  const types::v1::RuleBody* body = &source.deny();
  std::string place = rule_place + ".deny";
  if (source.has_allow()) {
    body = &source.allow();
    place = rule_place + ".allow";
    rule.effect = Effect::kAllow;
  } else if (source.has_require_approval()) {
    body = &source.require_approval();
    place = rule_place + ".require_approval";
    rule.effect = Effect::kRequireApproval;
  }
  RETURN_IF_ERROR(CompileNames(place, *body, rule));
  RETURN_IF_ERROR(CompileWhen(place, *body, rule));
  RETURN_IF_ERROR(CompileApproval(place, *body, session, rule));
  return CompileEffects(place, *body, session, rule);
}

absl::Duration WindowOf(const types::v1::ObjectLimit& limit,
                        const types::v1::SessionTerms& session) {
  return limit.has_window()           ? ToAbslDuration(limit.window())
         : session.has_max_duration() ? ToAbslDuration(session.max_duration())
                                      : kDefaultMaxDuration;
}

}  // namespace sallyport
