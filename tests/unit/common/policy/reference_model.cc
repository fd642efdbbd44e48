#include "tests/unit/common/policy/reference_model.h"

#include <algorithm>
#include <map>
#include <regex>

namespace sallyport::reference {
namespace {

// `*` any run; where `slashes` is set, `*` stops at `/` and `**` does not.
bool Like(const std::string& pattern, const std::string& text, bool slashes) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*') {
    return !text.empty() && text[0] == pattern[0] &&
           Like(pattern.substr(1), text.substr(1), slashes);
  }
  const bool is_double = pattern.size() > 1 && pattern[1] == '*';
  const std::string rest = pattern.substr(is_double ? 2 : 1);
  for (size_t taken = 0; taken <= text.size(); ++taken) {
    if (Like(rest, text.substr(taken), slashes)) return true;
    if (taken < text.size() && slashes && !is_double && text[taken] == '/') return false;
  }
  return false;
}

bool AnyLike(const google::protobuf::RepeatedPtrField<std::string>& patterns,
             const std::string& text) {
  for (const std::string& pattern : patterns) {
    if (Like(pattern, text, false)) return true;
  }
  return false;
}

bool AnyUriLike(const google::protobuf::RepeatedPtrField<std::string>& patterns,
                const std::string& uri) {
  for (const std::string& pattern : patterns) {
    if (pattern == "*" || Like(pattern, uri, true)) return true;
  }
  return false;
}

bool Has(const google::protobuf::RepeatedPtrField<std::string>& list, const std::string& value) {
  for (const std::string& one : list) {
    if (one == value) return true;
  }
  return false;
}

Value ValueOf(const types::v1::Scalar& scalar) {
  if (scalar.has_text()) return {Value::Kind::kText, scalar.text()};
  if (scalar.has_number()) return {Value::Kind::kNumber, NumberClass(scalar.number())};
  if (scalar.has_flag()) return {Value::Kind::kFlag, scalar.flag() ? "true" : "false"};
  return {Value::Kind::kNull, ""};
}

bool HoldsOne(const types::v1::Condition& condition, const std::optional<Value>& argument) {
  if (condition.has_exists()) return condition.exists() == argument.has_value();
  if (!argument) return false;
  if (condition.has_equals()) return ValueOf(condition.equals()) == *argument;
  if (!condition.matches().empty()) {
    return argument->kind == Value::Kind::kText &&
           std::regex_match(argument->text, std::regex(condition.matches()));
  }
  for (const types::v1::Scalar& scalar : condition.in()) {
    if (ValueOf(scalar) == *argument) return true;
  }
  return false;
}

bool HoldsAll(const types::v1::RuleBody& body, const std::optional<Value>& argument) {
  for (const types::v1::Condition& condition : body.when()) {
    if (!HoldsOne(condition, argument)) return false;
  }
  return true;
}

bool NamesTarget(const types::v1::RuleBody& body, const Call& call) {
  if (call.method == "tools/call") return AnyLike(body.tools(), call.target);
  if (call.method == "prompts/get") return AnyLike(body.prompts(), call.target);
  if (call.method == "resources/read") return AnyUriLike(body.resources(), call.target);
  return AnyLike(body.methods(), call.method);
}

struct Rules {
  // Each with the session's approval terms of its policy.
  std::vector<std::pair<types::v1::Rule, types::v1::ApprovalTerms>> all;
};

Rules RulesFor(const std::vector<types::v1::PolicySpec>& policies,
               const types::v1::Principal& principal, const std::string& server, bool& is_named) {
  Rules rules;
  for (const types::v1::PolicySpec& policy : policies) {
    if (!Names(policy, principal, server)) continue;
    is_named = true;
    for (const types::v1::Rule& rule : policy.rules()) {
      rules.all.emplace_back(rule, policy.session().approval());
    }
  }
  return rules;
}

Decision Approve(
    const std::vector<std::pair<types::v1::RuleBody, types::v1::ApprovalTerms>>& asks) {
  Decision decision{.verdict = "approve", .expires_seconds = 1 << 30};
  bool is_first = true;
  for (const auto& [body, session] : asks) {
    const auto& names = body.approvers().empty() ? session.approvers() : body.approvers();
    const std::set<std::string> own(names.begin(), names.end());
    std::set<std::string> common;
    for (const std::string& name : own) {
      if (is_first || decision.approvers.count(name) > 0) common.insert(name);
    }
    decision.approvers = common;
    is_first = false;
    const long seconds = body.has_expires_after()      ? body.expires_after().seconds()
                         : session.has_expires_after() ? session.expires_after().seconds()
                                                       : 600;
    decision.expires_seconds = std::min(decision.expires_seconds, seconds);
  }
  if (decision.approvers.empty()) {
    return {.verdict = "deny", .reason = types::v1::DENIAL_REASON_POLICY_DENIED};
  }
  return decision;
}

}  // namespace

std::string NumberClass(const std::string& literal) {
  static const std::map<std::string, std::string> kClasses = {
      {"1000", "thousand"},   {"1e3", "thousand"}, {"1000.0", "thousand"},
      {"0.1E+4", "thousand"}, {"0", "zero"},       {"-0", "zero"},
      {"0.00", "zero"},       {"1000.5", "more"},  {"100050e-2", "more"}};
  return kClasses.at(literal);
}

bool Names(const types::v1::PolicySpec& policy, const types::v1::Principal& principal,
           const std::string& server) {
  if (!AnyLike(policy.servers(), server)) return false;
  for (const types::v1::PrincipalMatch& match : policy.principals()) {
    bool all = match.realm() == principal.realm();
    if (match.kind() != 0) all = all && match.kind() == principal.kind();
    if (match.subjects_size() > 0) all = all && Has(match.subjects(), principal.subject());
    if (match.client_ids_size() > 0) all = all && Has(match.client_ids(), principal.client_id());
    if (match.groups_size() > 0) {
      bool one = false;
      for (const std::string& group : match.groups()) {
        one = one || Has(principal.groups(), match.realm() + ":" + group);
      }
      all = all && one;
    }
    for (const std::string& scope : match.scopes()) all = all && Has(principal.scopes(), scope);
    if (all) return true;
  }
  return false;
}

Decision Decide(const std::vector<types::v1::PolicySpec>& policies,
                const types::v1::Principal& principal, const std::string& server,
                const Call& call) {
  bool is_named = false;
  const Rules rules = RulesFor(policies, principal, server, is_named);
  if (!is_named) return {.verdict = "hidden", .reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN};
  if (call.method == "ping" || call.method == "tools/list") return {.verdict = "allow"};

  bool is_denied = false, is_allowed = false, has_failed = false;
  std::vector<std::pair<types::v1::RuleBody, types::v1::ApprovalTerms>> asks;
  for (const auto& [rule, session] : rules.all) {
    if (rule.has_deny() &&
        (NamesTarget(rule.deny(), call) || AnyLike(rule.deny().methods(), call.method))) {
      is_denied = is_denied || HoldsAll(rule.deny(), call.argument);
    }
    if (rule.has_require_approval() && (NamesTarget(rule.require_approval(), call) ||
                                        AnyLike(rule.require_approval().methods(), call.method))) {
      if (HoldsAll(rule.require_approval(), call.argument)) {
        asks.emplace_back(rule.require_approval(), session);
      } else {
        has_failed = true;
      }
    }
    if (rule.has_allow() && NamesTarget(rule.allow(), call)) {
      (HoldsAll(rule.allow(), call.argument) ? is_allowed : has_failed) = true;
    }
  }
  if (is_denied) return {.verdict = "deny", .reason = types::v1::DENIAL_REASON_POLICY_DENIED};
  if (!asks.empty()) return Approve(asks);
  if (is_allowed) return {.verdict = "allow"};
  if (has_failed) return {.verdict = "deny", .reason = types::v1::DENIAL_REASON_CONDITION_FAILED};
  const bool is_named_kind = call.method == "tools/call" || call.method == "prompts/get" ||
                             call.method == "resources/read";
  return {.verdict = "hidden",
          .reason = is_named_kind ? types::v1::DENIAL_REASON_POLICY_DENIED
                                  : types::v1::DENIAL_REASON_METHOD_UNKNOWN};
}

bool Shows(const std::vector<types::v1::PolicySpec>& policies,
           const types::v1::Principal& principal, const std::string& server,
           const std::string& tool) {
  bool is_named = false, is_granted = false;
  const Call call{.method = "tools/call", .target = tool};
  for (const auto& [rule, session] : RulesFor(policies, principal, server, is_named).all) {
    if (rule.has_deny() && rule.deny().when().empty() &&
        (NamesTarget(rule.deny(), call) || AnyLike(rule.deny().methods(), call.method))) {
      return false;
    }
    is_granted =
        is_granted || (rule.has_allow() && NamesTarget(rule.allow(), call)) ||
        (rule.has_require_approval() && (NamesTarget(rule.require_approval(), call) ||
                                         AnyLike(rule.require_approval().methods(), call.method)));
  }
  return is_granted;
}

}  // namespace sallyport::reference
