#include "agent/call/check_named.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/check_policy.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

absl::Status WhyNot(const OpenDecision& opening, ServedSession& session, Era era) {
  const std::string& server = session.facts().server;
  switch (opening.reason) {
    case types::v1::DENIAL_REASON_SCOPE_MISSING:
      return Denied(opening.reason, absl::StrCat("the token lacks scopes; needed: ",
                                                 absl::StrJoin(opening.required_scopes, " ")));
    case types::v1::DENIAL_REASON_SERVER_UNKNOWN:
      return Denied(opening.reason,
                    absl::StrCat("there is no server ", server, " that you may use"));
    default:
      return Denied(types::v1::DENIAL_REASON_POLICY_DENIED,
                    absl::StrCat("the session was opened with a token that has no right in common "
                                 "with this one; ",
                                 HowToOpenAnew(session, era)));
  }
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
