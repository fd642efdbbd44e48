#include "tests/unit/common/policy/reference_model.h"

#include "tests/unit/common/policy/reference_judge.h"

namespace sallyport::reference {
namespace {

// Whether something that comes of the template could be read: the URI, or whatever begins as it
// does before its first variable.
bool TemplateCouldPass(const Bound& bound, const std::string& uri_template, long now) {
  const std::size_t brace = uri_template.find('{');
  const std::string begin = uri_template.substr(0, brace);
  const std::vector<std::string> forms = FormsOf(begin);
  if (brace == std::string::npos) {
    const Call read{.method = "resources/read", .target = begin};
    return !forms.empty() && CouldPass(bound, read, now);
  }
  if (!begin.empty() && forms.empty()) return false;
  const auto is_all = [](const types::v1::RuleBody& body) {
    for (const std::string& pattern : body.resources()) {
      if (pattern == "*") return true;
    }
    return AnyLike(body.methods(), "resources/read");
  };
  if (IsShut(bound, now, is_all)) return false;
  if (HasObserver(bound, now)) return true;
  for (const auto& [index, spec] : bound.naming) {
    for (const types::v1::Rule& rule : spec->rules()) {
      if (rule.has_deny()) continue;
      const auto& body = rule.has_allow() ? rule.allow() : rule.require_approval();
      bool reaches = !body.resources().empty();
      for (const std::string& form : forms)
        reaches = reaches && AnyUriCouldBegin(body.resources(), form);
      if (reaches) return true;
    }
  }
  return false;
}

Decision ReadOf(const Bound& bound, const std::string& uri, long now) {
  if (FormsOf(uri).empty()) return Refusal(types::v1::DENIAL_REASON_POLICY_DENIED);
  return JudgeOne(bound, {.method = "resources/read", .target = uri}, now);
}

// A method that takes a rule of its own, of something that must be allowed as well.
Decision Both(Decision method, const Decision& target) {
  if (Rank(method) == 2) return method;
  if (target.verdict == "approve") {
    return Refusal(types::v1::DENIAL_REASON_POLICY_DENIED, target.policy, target.rule);
  }
  if (target.verdict != "allow") return target;
  if (method.observed == types::v1::DENIAL_REASON_UNSPECIFIED) method.observed = target.observed;
  if (target.on_unknown <= method.on_unknown) return method;
  method.on_unknown = target.on_unknown;
  if (method.verdict == "approve") return method;
  method.approvers = target.approvers;
  method.count = target.count;
  method.expires_seconds = target.expires_seconds;
  return method;
}

Decision NoPolicy() {
  return {.verdict = "hidden", .reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN};
}

}  // namespace

Decision Decide(const Policies& policies, const Tokens& tokens, const std::string& server,
                const Call& call, long now) {
  const Bound bound = Bind(policies, tokens, server, now);
  if (bound.naming.empty()) return NoPolicy();
  const std::string& method = call.method;
  if (method == "ping" || method == "tools/list") return {.verdict = "allow"};
  if (method == "resources/read") return ReadOf(bound, call.target, now);
  if (method == "completion/complete") {
    if (!call.of_resource) {
      return Both(JudgeOne(bound, call, now),
                  JudgeOne(bound, {.method = "prompts/get", .target = call.target}, now));
    }
    const bool is_shown = TemplateCouldPass(bound, call.target, now);
    return Both(JudgeOne(bound, call, now),
                {.verdict = is_shown ? "allow" : "hidden",
                 .reason = is_shown ? types::v1::DENIAL_REASON_UNSPECIFIED
                                    : types::v1::DENIAL_REASON_POLICY_DENIED});
  }
  const bool is_stream = method == "subscriptions/listen" && call.target.empty();
  const bool names_uri = method == "resources/subscribe" || method == "resources/unsubscribe" ||
                         method == "subscriptions/listen";
  if (names_uri && !is_stream) {
    return Both(JudgeOne(bound, call, now), ReadOf(bound, call.target, now));
  }
  const Call roots{.method = kServerRequest, .target = "roots"};
  if (method == "notifications/roots/list_changed" && CouldPass(bound, roots, now)) {
    return {.verdict = "allow"};
  }
  return JudgeOne(bound, call, now);
}

Decision DecideServerRequest(const Policies& policies, const Tokens& tokens,
                             const std::string& server, const std::string& word, long now) {
  const Bound bound = Bind(policies, tokens, server, now);
  if (bound.naming.empty()) return NoPolicy();
  return JudgeOne(bound, {.method = kServerRequest, .target = word}, now);
}

bool Shows(const Policies& policies, const Tokens& tokens, const std::string& server,
           const std::string& tool, long now) {
  return CouldPass(Bind(policies, tokens, server, now), {.method = "tools/call", .target = tool},
                   now);
}

}  // namespace sallyport::reference
