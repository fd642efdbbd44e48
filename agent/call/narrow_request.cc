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
  std::optional<std::string_view> server_state;
  if (!message.modern.request_state.empty()) {
    ASSIGN_OR_RETURN(Continuation before, OpenRequestState(*call.session, message));
    call.continues = std::make_shared<const Continuation>(std::move(before));
    server_state = call.continues->server_state;
  }
  const absl::Time now = gateway.clock.Now();
  const SessionPolicy& policy = *rules->policy;
  const UsableCapabilities& usable = policy.capabilities(now);
  const std::string method = message.method;
  const bool takes_tasks = message.modern.takes_tasks;
  ASSIGN_OR_RETURN(
      ClientMessage narrowed,
      NarrowModernRequest(
          std::move(message),
          {.client = {.sampling = usable.sampling,
                      .elicitation = usable.elicitation,
                      .roots = usable.roots,
                      .task_extension = usable.task_extension},
           .may_hear_of =
               [&](std::string_view uri) {
                 return policy.EvaluateCall({.method = method, .target = uri}, now).verdict ==
                        Verdict::kAllow;
               },
           .request_state = server_state}));
  // We may answer with a task of our own, whatever its server may.
  narrowed.modern.takes_tasks = takes_tasks;
  if (const auto shared = call.session->shared; shared != nullptr) {
    narrowed.modern.param_fields = shared->tools.FieldsFor(narrowed);
  }
  return narrowed;
}

}  // namespace sallyport::agent
