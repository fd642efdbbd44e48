#include "agent/call/answer_own.h"

#include <string>
#include <utility>

#include "agent/call/deliver_message.h"
#include "agent/call/record_call.h"
#include "agent/call/shown.h"
#include "agent/mcp/dialect.h"

namespace sallyport::agent {

Task<bool> AnswerOwn(Gateway& gateway, const GrantedCall& call,
                     std::shared_ptr<const ClientMessage> request, std::string_view approval_id,
                     UpstreamMessage answer) {
  ServedSession& session = *call.session;
  const int status = HttpStatusOf(request->era, answer);
  MessageFacts facts;
  static_cast<RecordFacts&>(facts) =
      FactsOf(call.authenticated->caller.get(), *call.connection, session.rules.get(), {},
              approval_id, call.authenticated->incoming.client_address);
  const ShownRequest shown = co_await Show(gateway, session, request);
  facts.answers = &shown;
  absl::StatusOr<RecordedMessage> recorded = absl::UnknownError("not recorded");
  if (auto masked =
          co_await gateway.masker.Mask(session.principal_key(), std::move(answer), session.mask);
      masked.ok()) {
    recorded = co_await gateway.recorder.RecordMessage(*session.chain, facts, *std::move(masked));
  } else {
    recorded = masked.status();
  }
  if (!recorded.ok()) {
    co_await AnswerRefused(gateway, RefusedCall{call, std::move(request), recorded.status(), {}});
    co_return false;
  }
  ++gateway.metrics.messages_delivered;
  Reply& reply = *call.reply;
  if (reply.has_begun()) {
    co_await reply.Event(*recorded);
    co_await reply.End();
  } else {
    co_await reply.Answer(*recorded, {.status = status});
  }
  co_return true;
}

}  // namespace sallyport::agent
