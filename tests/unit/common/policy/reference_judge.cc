#include "tests/unit/common/policy/reference_judge.h"

#include <algorithm>
#include <map>
#include <optional>

namespace sallyport::reference {
namespace {

bool IsTemplate(const Call& call) {
  return call.method == "resources/read" && call.target.find('{') != std::string::npos;
}

bool GrantsUri(const Patterns& patterns, const std::string& uri) {
  const std::vector<std::string> forms = FormsOf(uri);
  bool all = !forms.empty() && AnyUriLike(patterns, forms[0]);
  for (const std::string& form : forms) all = all && AnyUriLikeAnyhow(patterns, form);
  return all;
}

bool RestrictsUri(const Patterns& patterns, const std::string& uri) {
  for (const std::string& form : FormsOf(uri)) {
    if (AnyUriLikeAnyhow(patterns, form)) return true;
  }
  for (const std::string& form : HostFormsOf(uri)) {
    if (AnyUriLikeAnyhow(patterns, form)) return true;
  }
  return false;
}

// Something that begins as the template does.
bool GrantsTemplate(const Patterns& patterns, const std::string& uri_template) {
  const std::vector<std::string> forms = FormsOfBeginning(uri_template);
  bool all = !forms.empty() && AnyUriCouldBegin(patterns, forms[0]);
  for (const std::string& form : forms) all = all && AnyUriCouldBeginAnyhow(patterns, form);
  return all;
}

// Whatever may stand for the variable, of which a character that is in no pattern, an encoded
// slash and nothing are examples, and a slash where the variable lets one through.
bool RestrictsTemplate(const Patterns& patterns, const std::string& uri_template) {
  const std::size_t brace = uri_template.find('{');
  std::vector<std::string> values = {"", "~", "~%2F~"};
  if (uri_template[brace + 1] == '+') values.insert(values.end(), {"/", "~/~"});
  for (const std::string& value : values) {
    const std::string uri = uri_template.substr(0, brace) + value;
    if (!FormsOf(uri).empty() && !RestrictsUri(patterns, uri)) return false;
  }
  return true;
}

// Names the call in one of the ways in which it can be read (`all`: in all of them).
bool NamesTarget(const types::v1::RuleBody& body, const Call& call, bool all) {
  if (call.method == "tools/call") return AnyLike(body.tools(), call.target);
  if (call.method == "prompts/get") return AnyLike(body.prompts(), call.target);
  if (call.method == kServerRequest) {
    for (const std::string& word : body.server_requests()) {
      if (word == call.target) return true;
    }
    return false;
  }
  if (call.method != "resources/read") return AnyLike(body.methods(), call.method);
  if (IsTemplate(call)) {
    return all ? GrantsTemplate(body.resources(), call.target)
               : RestrictsTemplate(body.resources(), call.target);
  }
  return all ? GrantsUri(body.resources(), call.target)
             : RestrictsUri(body.resources(), call.target);
}

bool Grants(const types::v1::RuleBody& body, const Call& call) {
  return NamesTarget(body, call, true);
}

bool Restricts(const types::v1::RuleBody& body, const Call& call) {
  return NamesTarget(body, call, false) ||
         (call.method != kServerRequest && AnyLike(body.methods(), call.method));
}

// Whether the conditions hold, or could.
bool Holds(const types::v1::RuleBody& body, const Call& call) {
  return call.is_cut || HoldsAll(body, call.argument);
}

// Nobody here knows: each condition reads `/v`.
bool IsUnsure(const types::v1::RuleBody& body, const Call& call) {
  return call.is_cut && !body.when().empty();
}

// A rule that lets the call through, or would.
struct Passing {
  int policy;
  int rule;
  const types::v1::PolicySpec* spec;
  const types::v1::RuleBody* body;
  bool asks;
  bool is_unsure;

  const types::v1::ApprovalTerms& session() const { return spec->session().approval(); }
  std::set<std::string> Approvers() const {
    const auto& names = body->approvers().empty() ? session().approvers() : body->approvers();
    return {names.begin(), names.end()};
  }
  int Count() const {
    if (body->count() != 0) return static_cast<int>(body->count());
    return body->approvers().empty() && session().count() != 0 ? static_cast<int>(session().count())
                                                               : 1;
  }
  long Expires() const {
    return body->has_expires_after()       ? body->expires_after().seconds()
           : session().has_expires_after() ? session().expires_after().seconds()
                                           : 600;
  }
  types::v1::OnUnknown OnUnknown() const {
    if (body->on_unknown() != types::v1::ON_UNKNOWN_UNSPECIFIED) return body->on_unknown();
    if (!body->has_once() && !asks) return types::v1::ON_UNKNOWN_ALLOW;
    return Approvers().empty() ? types::v1::ON_UNKNOWN_DENY : types::v1::ON_UNKNOWN_ASK;
  }
};

void Ask(const std::vector<Passing>& demands, Decision& decision) {
  decision.expires_seconds = 1 << 30;
  bool is_first = true;
  for (const Passing& demand : demands) {
    std::set<std::string> common;
    for (const std::string& name : demand.Approvers()) {
      if (is_first || decision.approvers.count(name) > 0) common.insert(name);
    }
    decision.approvers = common;
    decision.count = std::max(decision.count, demand.Count());
    decision.expires_seconds = std::min(decision.expires_seconds, demand.Expires());
    is_first = false;
  }
}

std::string TextOf(const Value& value) {
  std::string text = std::to_string(static_cast<int>(value.kind)) + "<" + value.text;
  for (const Value& item : value.items) text += TextOf(item);
  return text + ">";
}

// The objects of `/v`; nullopt where nothing says how many.
std::optional<long> Objects(const std::optional<Value>& argument) {
  if (!argument || argument->kind == Value::Kind::kNull) return std::nullopt;
  if (argument->kind != Value::Kind::kList && argument->kind != Value::Kind::kObject) return 1;
  return static_cast<long>(argument->items.size());
}

// What one rule's `once` and `limit` refuse by themselves.
types::v1::DenialReason RefusalOf(const Passing& passing, const std::optional<Value>& argument) {
  if (passing.is_unsure) return types::v1::DENIAL_REASON_UNSPECIFIED;
  if (passing.body->has_once() && !argument) return types::v1::DENIAL_REASON_CONDITION_FAILED;
  if (!passing.body->has_limit()) return types::v1::DENIAL_REASON_UNSPECIFIED;
  const types::v1::ObjectLimit& limit = passing.body->limit();
  const std::optional<long> objects = Objects(argument);
  if (!objects) return types::v1::DENIAL_REASON_CONDITION_FAILED;
  const bool is_over =
      (limit.per_call() != 0 && *objects > static_cast<long>(limit.per_call())) ||
      (limit.per_window() != 0 && *objects > static_cast<long>(limit.per_window()));
  return is_over ? types::v1::DENIAL_REASON_LIMIT_EXCEEDED : types::v1::DENIAL_REASON_UNSPECIFIED;
}

// Completes a decision that lets through, with all that the rules ask.
Decision WithDemands(Decision decision, const std::vector<Passing>& passing,
                     const std::vector<Passing>& failing, const std::optional<Value>& argument) {
  for (const auto reason :
       {types::v1::DENIAL_REASON_CONDITION_FAILED, types::v1::DENIAL_REASON_LIMIT_EXCEEDED}) {
    for (const Passing& one : passing) {
      if (RefusalOf(one, argument) == reason) return Refusal(reason, one.policy, one.rule);
    }
  }
  std::map<std::string, long> longest;
  std::vector<Passing> askers;
  for (const Passing& one : passing) {
    if (one.body->has_once() && !one.is_unsure) {
      long& within = longest[std::to_string(one.policy) + "|" + TextOf(*argument)];
      within = std::max(
          within, one.body->once().has_within() ? one.body->once().within().seconds() : 1L << 40);
    }
    if (one.body->has_limit() && !one.is_unsure && one.body->limit().per_window() != 0) {
      const long window = one.body->limit().has_window() ? one.body->limit().window().seconds()
                          : one.spec->session().has_max_duration()
                              ? one.spec->session().max_duration().seconds()
                              : 3600;
      decision.limits.insert(std::to_string(one.policy) + "|" + std::to_string(*Objects(argument)) +
                             "|" + std::to_string(one.body->limit().per_window()) + "|" +
                             std::to_string(window));
    }
    decision.on_unknown = std::max(decision.on_unknown, one.OnUnknown());
    if (one.OnUnknown() == types::v1::ON_UNKNOWN_ASK) askers.push_back(one);
  }
  // All limits count the same argument: one of a rule that fails where there is no other.
  for (const Passing& one : failing) {
    if (one.body->limit().per_window() == 0 || !Objects(argument) || !decision.limits.empty())
      continue;
    decision.limits.insert(std::to_string(one.policy) + "|" + std::to_string(*Objects(argument)) +
                           "|0|0");
  }
  decision.once.insert(longest.begin(), longest.end());
  if (decision.on_unknown != types::v1::ON_UNKNOWN_ASK || decision.verdict == "approve") {
    return decision;
  }
  Decision asked = decision;
  Ask(askers, asked);
  if (!asked.approvers.empty()) return asked;
  decision.on_unknown = types::v1::ON_UNKNOWN_DENY;
  return decision;
}

bool IsNamedKind(const Call& call) {
  return call.method == "tools/call" || call.method == "prompts/get" ||
         call.method == "resources/read" || call.method == kServerRequest;
}

// The first rule that denies: of `policies` those that deny, of `others` those that ask, too.
// Verdict empty: there is none.
Decision FirstDenial(const std::vector<InForce>& policies, const std::vector<InForce>& others,
                     const Call& call) {
  Decision first;
  const auto look = [&](const InForce& policy, bool is_other) {
    for (int i = 0; i < policy.spec->rules_size(); ++i) {
      const types::v1::Rule& rule = policy.spec->rules(i);
      const bool asks = is_other && rule.has_require_approval();
      const types::v1::RuleBody& body = asks ? rule.require_approval() : rule.deny();
      if (!asks && !rule.has_deny()) continue;
      if (!Restricts(body, call) || !Holds(body, call) || IsUnsure(body, call)) continue;
      const bool is_first =
          first.verdict.empty() || std::pair(policy.index, i) < std::pair(first.policy, first.rule);
      if (is_first) first = Refusal(types::v1::DENIAL_REASON_POLICY_DENIED, policy.index, i);
    }
  };
  for (const InForce& policy : policies) look(policy, false);
  for (const InForce& policy : others) look(policy, true);
  return first;
}

// What rules of `others` that would let the call through ask of it beside those that do.
void AddAsked(const std::vector<InForce>& others, const Call& call, std::vector<Passing>& passing,
              std::vector<Passing>& failing) {
  for (const auto& [index, spec] : others) {
    for (int i = 0; i < spec->rules_size(); ++i) {
      const types::v1::RuleBody& body = spec->rules(i).allow();
      if (!spec->rules(i).has_allow() || !Grants(body, call)) continue;
      (Holds(body, call) ? passing : failing)
          .push_back({index, i, spec, &body, false, IsUnsure(body, call)});
    }
  }
  for (std::vector<Passing>* rules : {&passing, &failing}) {
    std::sort(rules->begin(), rules->end(), [](const Passing& a, const Passing& b) {
      return std::pair(a.policy, a.rule) < std::pair(b.policy, b.rule);
    });
  }
}

// As the policies say, with all else let through by `observer` where there is one.
Decision Judge(const std::vector<InForce>& policies, const std::vector<InForce>& others,
               const Call& call, long now, int observer) {
  std::vector<Passing> passing, asking, failing;
  Decision failed, closed, granted;
  if (Decision denial = FirstDenial(policies, others, call); !denial.verdict.empty()) return denial;
  for (const auto& [index, spec] : policies) {
    for (int i = 0; i < spec->rules_size(); ++i) {
      const types::v1::Rule& rule = spec->rules(i);
      const bool asks = rule.has_require_approval();
      const types::v1::RuleBody& body = asks ? rule.require_approval() : rule.allow();
      if (rule.has_deny() || !(asks ? Restricts(body, call) : Grants(body, call))) continue;
      const Decision here = Refusal(types::v1::DENIAL_REASON_CONDITION_FAILED, index, i);
      if (!Holds(body, call)) {
        if (failed.verdict.empty()) failed = here;
        failing.push_back({index, i, spec, &body, asks, false});
        continue;
      }
      passing.push_back({index, i, spec, &body, asks, IsUnsure(body, call)});
      if (asks) asking.push_back(passing.back());
      Decision& first = IsOpen(*spec, now) ? granted : closed;
      if (first.verdict.empty()) first = here;
    }
  }
  if (granted.verdict.empty() && observer < 0) {
    if (!closed.verdict.empty()) {
      closed.reason = types::v1::DENIAL_REASON_POLICY_DENIED;
      return closed;
    }
    if (!failed.verdict.empty()) return failed;
    return {.verdict = "hidden",
            .reason = IsNamedKind(call) ? types::v1::DENIAL_REASON_POLICY_DENIED
                                        : types::v1::DENIAL_REASON_METHOD_UNKNOWN};
  }
  Decision decision{.verdict = "allow", .policy = observer};
  if (!asking.empty()) {
    decision = {.verdict = "approve", .policy = asking[0].policy, .rule = asking[0].rule};
    Ask(asking, decision);
    if (decision.approvers.empty()) {
      return Refusal(types::v1::DENIAL_REASON_POLICY_DENIED, decision.policy, decision.rule);
    }
  } else if (!granted.verdict.empty()) {
    decision.policy = granted.policy;
    decision.rule = granted.rule;
  }
  AddAsked(others, call, passing, failing);
  return WithDemands(std::move(decision), passing, failing, call.argument);
}

// Without those that observe; the first of which is `observer`.
std::vector<InForce> Enforcing(const std::vector<InForce>& policies, long now, int& observer) {
  std::vector<InForce> enforcing;
  for (const InForce& policy : policies) {
    if (!Observes(*policy.spec, now)) {
      enforcing.push_back(policy);
    } else if (observer < 0) {
      observer = policy.index;
    }
  }
  return enforcing;
}

}  // namespace

Decision Refusal(types::v1::DenialReason reason, int policy, int rule) {
  return {.verdict = "deny", .reason = reason, .policy = policy, .rule = rule};
}

int Rank(const Decision& decision) {
  return decision.verdict == "allow" ? 0 : decision.verdict == "approve" ? 1 : 2;
}

Bound Bind(const Policies& policies, const Tokens& tokens, const std::string& server, long now) {
  Bound bound;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const bool by_token = Names(policies[i], tokens.principal, server);
    const bool by_opening = Names(policies[i], tokens.opened_as, server);
    const InForce one{static_cast<int>(i), &policies[i]};
    if (by_token && by_opening) bound.naming.push_back(one);
    if (by_token != by_opening && !Observes(policies[i], now)) bound.others.push_back(one);
  }
  return bound;
}

Decision JudgeOne(const Bound& bound, const Call& call, long now) {
  const Decision enforced = Judge(bound.naming, bound.others, call, now, -1);
  int observer = -1;
  const std::vector<InForce> enforcing = Enforcing(bound.naming, now, observer);
  if (observer < 0) return enforced;
  Decision lifted = Judge(enforcing, bound.others, call, now, observer);
  if (Rank(enforced) > Rank(lifted)) {
    lifted.observed =
        enforced.verdict == "approve" ? types::v1::DENIAL_REASON_APPROVAL_PENDING : enforced.reason;
  }
  return lifted;
}

std::vector<std::string> FormsOfBeginning(const std::string& uri_template) {
  const std::string begin = uri_template.substr(0, uri_template.find('{'));
  return begin.empty() ? std::vector<std::string>{""} : FormsOf(begin);
}

bool HasObserver(const Bound& bound, long now) {
  int observer = -1;
  Enforcing(bound.naming, now, observer);
  return observer >= 0;
}

bool IsShut(const Bound& bound, long now, const NamesBy& names) {
  int observer = -1;
  for (const auto& [index, spec] : Enforcing(bound.naming, now, observer)) {
    for (const types::v1::Rule& rule : spec->rules()) {
      if (rule.has_deny() && rule.deny().when().empty() && names(rule.deny())) return true;
    }
  }
  for (const auto& [index, spec] : bound.others) {
    for (const types::v1::Rule& rule : spec->rules()) {
      if (rule.has_allow()) continue;
      const auto& body = rule.has_deny() ? rule.deny() : rule.require_approval();
      if (body.when().empty() && names(body)) return true;
    }
  }
  return false;
}

bool CouldPass(const Bound& bound, const Call& call, long now) {
  if (IsShut(bound, now, [&](const auto& body) { return Restricts(body, call); })) return false;
  if (HasObserver(bound, now)) return true;
  // An approval of a part of what comes of a template lets that part through.
  const auto asks_for_some = [&](const types::v1::RuleBody& body) {
    if (Restricts(body, call)) return true;
    if (!IsTemplate(call)) return false;
    for (const std::string& form : FormsOfBeginning(call.target)) {
      if (AnyUriCouldBeginAnyhow(body.resources(), form)) return true;
    }
    return false;
  };
  for (const auto& [index, spec] : bound.naming) {
    for (const types::v1::Rule& rule : spec->rules()) {
      if (rule.has_allow() && Grants(rule.allow(), call)) return true;
      if (rule.has_require_approval() && asks_for_some(rule.require_approval())) return true;
    }
  }
  return false;
}

}  // namespace sallyport::reference
