#include "agent/call/check_named.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/check_policy.h"
#include "common/denial.h"
#include "common/policy/open_refusal.h"

namespace sallyport::agent {
namespace {

absl::Status WhyNot(const OpenDecision& opening, ServedSession& session, Era era) {
  if (opening.reason == types::v1::DENIAL_REASON_SCOPE_MISSING ||
      opening.reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN) {
    return Denied(opening.reason, WhyRefused(opening, session.facts().server));
  }
  return Denied(types::v1::DENIAL_REASON_POLICY_DENIED,
                absl::StrCat("the session was opened with a token that has no right in common with "
                             "this one; ",
                             HowToOpenAnew(session, era)));
}

}  // namespace

std::variant<std::shared_ptr<const SessionRules>, OpenRefusal> CheckNamed(
    Gateway& gateway, ServedSession& session, const AuthenticatedCall& call, Era era) {
  OpenRefusal refusal;
  refusal.details.session_id = session.id();
  auto rules = FindRules(gateway, session, *call.caller, call.snapshot);
  if (!rules.ok()) {
    refusal.why = rules.status();
    return refusal;
  }
  if (!(*rules)->policy->is_empty()) {
    refusal.why = KeepRules(gateway, session, *rules);
    if (refusal.why.ok()) return *std::move(rules);
    return refusal;
  }
  OpenDecision opening = call.snapshot->policies()->EvaluateOpen(
      *call.caller->principal, session.facts().server, gateway.agent, gateway.clock.Now());
  refusal.why = WhyNot(opening, session, era);
  refusal.required_scopes = std::move(opening.required_scopes);
  return refusal;
}

}  // namespace sallyport::agent
