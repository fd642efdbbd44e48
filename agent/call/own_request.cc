#include "agent/call/own_request.h"

#include <memory>
#include <string>
#include <utility>

#include "agent/call/record_call.h"
#include "common/json_printer.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// One question, from its going out to its answer.
struct Asked {
  Asked(Loop& loop, std::unique_ptr<Exchange> made) : exchange(std::move(made)), is_over(loop) {}
  const std::unique_ptr<Exchange> exchange;
  Signal is_over;
  bool is_late = false;
};

Task<void> CancelWhenLate(std::shared_ptr<Asked> asked, absl::Duration timeout) {
  if (co_await asked->is_over.Wait(timeout)) co_return;
  asked->is_late = true;
  asked->exchange->Cancel();
}

Task<void> RecordLoss(Gateway& gateway, Held<ServedSession> session,
                      const OutboundMessage& outbound) {
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_OUTCOME;
  facts.request = &outbound.shown();
  facts.outcome = "unknown";
  facts.request_n = outbound.record_n();
  const absl::Status recorded =
      co_await gateway.recorder.RecordEvent(*session->chain, std::move(facts));
  if (!recorded.ok()) LogError("record_failed", {{"session", session->id()}, {"error", recorded}});
}

}  // namespace

Task<absl::StatusOr<UpstreamMessage>> AskForOurselves(Gateway& gateway, Held<ServedSession> session,
                                                      Held<McpConnection> connection,
                                                      ClientMessage request,
                                                      absl::Duration timeout) {
  // Its recording may be closed.
  if (session->live().is_ended()) co_return session->live().end().Refusal();
  CO_ASSIGN_OR_RETURN(
      const OutboundMessage outbound,
      co_await RecordOutbound(gateway, session, connection,
                              std::make_shared<const ClientMessage>(std::move(request)), nullptr,
                              {}, {}));
  CO_ASSIGN_OR_RETURN(auto exchange, co_await connection->upstream()->Forward(outbound));
  const auto asked = std::make_shared<Asked>(gateway.loop, std::move(exchange));
  gateway.loop.Spawn(CancelWhenLate(asked, timeout));
  for (;;) {
    auto message = co_await asked->exchange->Next();
    // Nobody asked for its progress.
    if (message.ok() && message->shape != Shape::kResponse) continue;
    asked->is_over.Set();
    if (!message.ok()) {
      co_await RecordLoss(gateway, session, outbound);
      co_return asked->is_late ? absl::DeadlineExceededError("the server has not answered")
                               : message.status();
    }
    MessageFacts facts;
    static_cast<RecordFacts&>(facts) =
        FactsOf(nullptr, *connection, session->rules.get(), {}, {}, {});
    facts.request_n = outbound.record_n();
    facts.answers = &outbound.shown();
    CO_ASSIGN_OR_RETURN(auto masked, co_await gateway.masker.Mask(session->principal_key(),
                                                                  *message, session->mask));
    CO_RETURN_IF_ERROR(
        (co_await gateway.recorder.RecordMessage(*session->chain, facts, std::move(masked)))
            .status());
    co_return message;
  }
}

}  // namespace sallyport::agent
