#include "agent/call/narrow_request.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/call/check_policy.h"
#include "agent/mcp/modern_request.h"
#include "common/status_macros.h"

namespace sallyport::agent {

absl::StatusOr<ClientMessage> NarrowRequest(Gateway& gateway, GrantedCall& call,
                                            ClientMessage message) {
  ASSIGN_OR_RETURN(const auto rules, RulesFor(gateway, *call.session, *call.authenticated->caller,
                                              call.authenticated->snapshot));
  const absl::Time now = gateway.clock.Now();
  const SessionPolicy& policy = *rules->policy;
  const UsableCapabilities& usable = policy.capabilities(now);
  const std::string method = message.method;
  const bool takes_tasks = message.modern.takes_tasks;
  // What a person is to be asked about stays, for that is what they approve.
  const auto may_hear_of = [&](std::string_view uri) {
    return MayPass(policy.EvaluateCall({.method = method, .target = uri}, now));
  };
  ModernRequestTerms terms{.client = {.sampling = usable.sampling,
                                      .elicitation = usable.elicitation,
                                      .roots = usable.roots,
                                      .task_extension = usable.task_extension},
                           .may_hear_of = may_hear_of,
                           .request_state = std::nullopt};
  ASSIGN_OR_RETURN(ClientMessage narrowed, NarrowModernRequest(std::move(message), terms));
  if (!narrowed.modern.request_state.empty()) {
    // It is bound to the call as its server was, or would have been, shown it.
    ASSIGN_OR_RETURN(Continuation before, OpenRequestState(*call.session, narrowed));
    if (before.is_counted) call.counted = std::make_shared<const CountedOperation>(call.session);
    call.continues = std::make_shared<const Continuation>(std::move(before));
    terms.request_state = call.continues->server_state;
    ASSIGN_OR_RETURN(narrowed, NarrowModernRequest(std::move(narrowed), terms));
  }
  // We may answer with a task of our own, whatever its server may.
  narrowed.modern.takes_tasks = takes_tasks;
  if (const auto shared = call.session->shared; shared != nullptr) {
    narrowed.modern.param_fields = shared->tools.FieldsFor(narrowed);
  }
  return narrowed;
}

}  // namespace sallyport::agent
