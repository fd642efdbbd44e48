#include "common/policy/compiled_policy.h"

#include <array>
#include <initializer_list>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/policy/approvers.h"
#include "common/policy/documents.h"
#include "common/policy/proto_duration.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport {
namespace {

constexpr std::array<std::pair<std::string_view, MethodKind>, 18> kMethods = {{
    {"initialize", MethodKind::kFree},
    {"notifications/initialized", MethodKind::kFree},
    {"notifications/cancelled", MethodKind::kFree},
    {"notifications/progress", MethodKind::kFree},
    {"ping", MethodKind::kFree},
    {"server/discover", MethodKind::kFree},
    {"tools/list", MethodKind::kFree},
    {"resources/list", MethodKind::kFree},
    {"resources/templates/list", MethodKind::kFree},
    {"prompts/list", MethodKind::kFree},
    {"tools/call", MethodKind::kTool},
    {"resources/read", MethodKind::kResource},
    {"prompts/get", MethodKind::kPrompt},
    {"completion/complete", MethodKind::kCompletion},
    {"resources/subscribe", MethodKind::kSubscribe},
    {"resources/unsubscribe", MethodKind::kSubscribe},
    {"subscriptions/listen", MethodKind::kListen},
    {"notifications/roots/list_changed", MethodKind::kRootsList},
}};

absl::Status In(std::string_view place, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(ToAbsl(place), ": ", status.message()));
}

absl::Status Wrong(std::string_view place, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(place), ": ", ToAbsl(what)));
}

absl::Status CheckRealmName(std::string_view place, std::string_view name) {
  const std::string_view realm = RealmOf(name);
  if (realm.empty() || realm.size() + 1 == name.size()) {
    return Wrong(place,
                 absl::StrCat("\"", ToAbsl(name), "\" must be realm:group or realm:subject"));
  }
  return absl::OkStatus();
}

absl::Status CheckRange(std::string_view place, const google::protobuf::Duration& duration,
                        absl::Duration shortest, absl::Duration longest) {
  const absl::Duration value = ToAbslDuration(duration);
  if (value >= shortest && value <= longest) return absl::OkStatus();
  return Wrong(place, absl::StrCat("must be between ", FormatDuration(shortest), " and ",
                                   FormatDuration(longest)));
}

absl::Status CheckCount(std::string_view place, std::uint32_t count) {
  if (count <= 1) return absl::OkStatus();
  return Wrong(place, "count above 1 is not supported by this version");
}

absl::Status CheckPrincipal(const std::string& place, const types::v1::PrincipalMatch& match) {
  if (match.realm().empty()) return Wrong(place, "realm is missing");
  if (match.realm().find(':') != std::string::npos)
    return Wrong(place, "realm must not hold a colon");
  for (const auto* list :
       {&match.subjects(), &match.client_ids(), &match.groups(), &match.scopes()}) {
    for (const std::string& value : *list) {
      if (value.empty()) return Wrong(place, "an empty value names nobody");
    }
  }
  for (const std::string& group : match.groups()) {
    if (RealmOf(group) == match.realm()) {
      return Wrong(place, absl::StrCat("groups are written without the realm here: \"", group,
                                       "\" would be ", match.realm(), ":", group));
    }
  }
  for (const std::string& owner : match.owners()) {
    RETURN_IF_ERROR(CheckRealmName(absl::StrCat(place, ".owners"), owner));
  }
  return absl::OkStatus();
}

absl::Status CheckSession(const types::v1::SessionTerms& session) {
  constexpr absl::Duration kSecond = absl::Seconds(1);
  if (session.has_max_duration()) {
    RETURN_IF_ERROR(
        CheckRange("session.max_duration", session.max_duration(), kSecond, kLongestMaxDuration));
  }
  if (session.has_idle_timeout()) {
    RETURN_IF_ERROR(
        CheckRange("session.idle_timeout", session.idle_timeout(), kSecond, kLongestMaxDuration));
  }
  if (session.has_disconnect_grace()) {
    RETURN_IF_ERROR(CheckRange("session.disconnect_grace", session.disconnect_grace(),
                               absl::ZeroDuration(), absl::Hours(1)));
  }
  if (!session.has_approval()) return absl::OkStatus();
  const types::v1::ApprovalTerms& approval = session.approval();
  if (approval.approvers().empty()) return Wrong("session.approval", "approvers is missing");
  for (const std::string& approver : approval.approvers()) {
    RETURN_IF_ERROR(CheckRealmName("session.approval.approvers", approver));
  }
  RETURN_IF_ERROR(CheckCount("session.approval.count", approval.count()));
  if (approval.has_expires_after()) {
    RETURN_IF_ERROR(CheckRange("session.approval.expires_after", approval.expires_after(), kSecond,
                               kLongestMaxDuration));
  }
  return absl::OkStatus();
}

// A rule that would say nothing about what it names.
absl::Status CheckMethodPattern(const std::string& place, const std::string& pattern,
                                CompiledRule::Effect effect) {
  const MethodKind kind = KindOfMethod(pattern);
  if (kind == MethodKind::kFree) {
    return Wrong(place, absl::StrCat(pattern, " passes with every session and takes no rule"));
  }
  if (effect != CompiledRule::Effect::kAllow) return absl::OkStatus();
  if (kind == MethodKind::kTool || pattern == "tools/*") {
    return Wrong(place, absl::StrCat(pattern, " is allowed by naming tools"));
  }
  if (kind == MethodKind::kResource) {
    return Wrong(place, absl::StrCat(pattern, " is allowed by naming resources"));
  }
  if (kind == MethodKind::kPrompt || pattern == "prompts/*") {
    return Wrong(place, absl::StrCat(pattern, " is allowed by naming prompts"));
  }
  return absl::OkStatus();
}

absl::Status CheckServerRequests(const std::string& place, const types::v1::RuleBody& body,
                                 CompiledRule::Effect effect) {
  for (const std::string& word : body.server_requests()) {
    if (word != "sampling" && word != "elicitation" && word != "roots") {
      return Wrong(place, absl::StrCat("server_requests: \"", word,
                                       "\" is not sampling, elicitation or roots"));
    }
  }
  if (!body.server_requests().empty() && effect == CompiledRule::Effect::kRequireApproval) {
    return Wrong(place, "approval of server_requests is not supported by this version");
  }
  return absl::OkStatus();
}

template <class Pattern, class Strings>
absl::Status CompilePatterns(std::string_view place, const Strings& texts,
                             std::vector<Pattern>& patterns) {
  for (const std::string& text : texts) {
    if (text.empty()) return Wrong(place, "an empty pattern matches nothing");
    patterns.emplace_back(text);
  }
  return absl::OkStatus();
}

absl::Status CompileResources(const std::string& place, const types::v1::RuleBody& body,
                              std::vector<UriPattern>& patterns) {
  for (const std::string& text : body.resources()) {
    const std::string_view refusal = UriForms(text).refusal();
    if (!refusal.empty()) {
      return Wrong(place, absl::StrCat("resources: \"", text, "\": ", ToAbsl(refusal)));
    }
  }
  return CompilePatterns(absl::StrCat(place, ".resources"), body.resources(), patterns);
}

absl::Status CompileWhen(const std::string& place, const types::v1::RuleBody& body,
                         CompiledRule& rule) {
  if (body.when().empty()) return absl::OkStatus();
  if (body.tools().empty() || !body.resources().empty() || !body.prompts().empty() ||
      !body.methods().empty() || !body.server_requests().empty()) {
    return Wrong(place, "when stands beside tools and nothing else: split the rule");
  }
  for (int i = 0; i < body.when_size(); ++i) {
    absl::StatusOr<CompiledCondition> condition = CompiledCondition::Compile(body.when(i));
    if (!condition.ok()) return In(absl::StrCat(place, ".when[", i, "]"), condition.status());
    rule.when.push_back(*std::move(condition));
  }
  return absl::OkStatus();
}

absl::Status CompileApproval(const std::string& place, const types::v1::RuleBody& body,
                             const types::v1::SessionTerms& session, CompiledRule& rule) {
  if (rule.effect != CompiledRule::Effect::kRequireApproval) {
    if (body.approvers().empty() && body.count() == 0 && !body.has_expires_after()) {
      return absl::OkStatus();
    }
    return Wrong(place, "approvers, count and expires_after stand in require_approval only");
  }
  RETURN_IF_ERROR(CheckCount(place + ".count", body.count()));
  const types::v1::ApprovalTerms& fallback = session.approval();
  const auto& approvers = body.approvers().empty() ? fallback.approvers() : body.approvers();
  if (approvers.empty()) {
    return Wrong(place, "approvers is missing, and session.approval has none to take");
  }
  for (const std::string& approver : approvers) {
    RETURN_IF_ERROR(CheckRealmName(place + ".approvers", approver));
    rule.approvers.push_back(approver);
  }
  rule.expires_after = kDefaultApprovalExpiry;
  if (fallback.has_expires_after()) rule.expires_after = ToAbslDuration(fallback.expires_after());
  if (body.has_expires_after()) {
    RETURN_IF_ERROR(CheckRange(place + ".expires_after", body.expires_after(), absl::Seconds(1),
                               kLongestMaxDuration));
    rule.expires_after = ToAbslDuration(body.expires_after());
  }
  return absl::OkStatus();
}

absl::Status CompileRule(const std::string& rule_place, const types::v1::Rule& source,
                         const types::v1::SessionTerms& session, CompiledRule& rule) {
  if (source.has_allow() + source.has_require_approval() + source.has_deny() != 1) {
    return Wrong(rule_place, "needs exactly one of allow, require_approval and deny");
  }
  const types::v1::RuleBody* body = &source.deny();
  std::string place = rule_place + ".deny";
  if (source.has_allow()) {
    body = &source.allow();
    place = rule_place + ".allow";
    rule.effect = CompiledRule::Effect::kAllow;
  } else if (source.has_require_approval()) {
    body = &source.require_approval();
    place = rule_place + ".require_approval";
    rule.effect = CompiledRule::Effect::kRequireApproval;
  }
  if (body->tools().empty() && body->resources().empty() && body->prompts().empty() &&
      body->methods().empty() && body->server_requests().empty()) {
    return Wrong(place,
                 "names nothing: give it tools, resources, prompts, methods or "
                 "server_requests");
  }
  for (const std::string& method : body->methods()) {
    RETURN_IF_ERROR(CheckMethodPattern(place + ".methods", method, rule.effect));
  }
  RETURN_IF_ERROR(CheckServerRequests(place, *body, rule.effect));
  RETURN_IF_ERROR(CompilePatterns(place + ".tools", body->tools(), rule.tools));
  RETURN_IF_ERROR(CompilePatterns(place + ".prompts", body->prompts(), rule.prompts));
  RETURN_IF_ERROR(CompilePatterns(place + ".methods", body->methods(), rule.methods));
  RETURN_IF_ERROR(CompileResources(place, *body, rule.resources));
  rule.server_requests.assign(body->server_requests().begin(), body->server_requests().end());
  RETURN_IF_ERROR(CompileWhen(place, *body, rule));
  return CompileApproval(place, *body, session, rule);
}

}  // namespace

MethodKind KindOfMethod(std::string_view method) {
  for (const auto& [name, kind] : kMethods) {
    if (name == method) return kind;
  }
  return MethodKind::kOther;
}

absl::Status CompiledPolicy::Compile(std::string_view name, const types::v1::PolicySpec& spec,
                                     CompiledPolicy& policy) {
  policy.name = name;
  policy.spec = spec;
  if (spec.principals().empty()) return Wrong("principals", "at least one is required");
  for (int i = 0; i < spec.principals_size(); ++i) {
    RETURN_IF_ERROR(CheckPrincipal(absl::StrCat("principals[", i, "]"), spec.principals(i)));
  }
  if (spec.servers().empty()) return Wrong("servers", "at least one is required");
  RETURN_IF_ERROR(CompilePatterns("servers", spec.servers(), policy.servers));
  RETURN_IF_ERROR(CheckSession(spec.session()));
  policy.rules.resize(static_cast<std::size_t>(spec.rules_size()));
  for (int i = 0; i < spec.rules_size(); ++i) {
    CompiledRule& rule = policy.rules[static_cast<std::size_t>(i)];
    rule.policy = &policy;
    RETURN_IF_ERROR(
        CompileRule(absl::StrCat("rules[", i, "]"), spec.rules(i), spec.session(), rule));
  }
  return absl::OkStatus();
}

bool CompiledPolicy::CoversServer(std::string_view server) const {
  for (const Glob& glob : servers) {
    if (glob.Matches(server)) return true;
  }
  return false;
}

}  // namespace sallyport
