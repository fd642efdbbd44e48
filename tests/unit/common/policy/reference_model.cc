#include "tests/unit/common/policy/reference_model.h"

#include "tests/unit/common/policy/reference_judge.h"

namespace sallyport::reference {
namespace {

// Of a URI, or of a template of them.
Decision ReadOf(const Bound& bound, const std::string& uri, long now) {
  const bool is_template = uri.find('{') != std::string::npos;
  if ((is_template ? FormsOfBeginning(uri) : FormsOf(uri)).empty()) {
    return Refusal(types::v1::DENIAL_REASON_POLICY_DENIED);
  }
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
    return Both(JudgeOne(bound, call, now), ReadOf(bound, call.target, now));
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

bool ShowsTemplate(const Policies& policies, const Tokens& tokens, const std::string& server,
                   const std::string& uri_template, long now) {
  return !FormsOfBeginning(uri_template).empty() &&
         CouldPass(Bind(policies, tokens, server, now),
                   {.method = "resources/read", .target = uri_template}, now);
}

}  // namespace sallyport::reference
