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

Task<void> RecordLoss(Gateway& gateway, Held<ServedSession> session, std::string method,
                      std::uint64_t request_n) {
  types::v1::RecordContent content;
  content.set_method(std::move(method));
  content.set_outcome("unknown");
  content.set_request_n(request_n);
  const absl::Status recorded = co_await gateway.recorder.RecordEvent(
      *session->chain, types::v1::RECORD_TYPE_OUTCOME, std::move(content));
  if (!recorded.ok()) LogError("record_failed", {{"session", session->id()}, {"error", recorded}});
}

}  // namespace

Task<absl::StatusOr<UpstreamMessage>> AskForOurselves(Gateway& gateway, Held<ServedSession> session,
                                                      Held<McpConnection> connection,
                                                      ClientMessage request) {
  const std::string method = request.method;
  CO_ASSIGN_OR_RETURN(
      const OutboundMessage outbound,
      co_await RecordOutbound(gateway, session, connection,
                              std::make_shared<const ClientMessage>(std::move(request)), {}, {}));
  CO_ASSIGN_OR_RETURN(auto exchange, co_await connection->upstream()->Forward(outbound));
  for (;;) {
    auto message = co_await exchange->Next();
    if (!message.ok()) {
      co_await RecordLoss(gateway, session, method, outbound.record_n());
      co_return message.status();
    }
    // Nobody asked for its progress.
    if (message->shape != Shape::kResponse) continue;
    MessageFacts facts;
    static_cast<RecordFacts&>(facts) =
        FactsOf(*session, *connection, session->rules.get(), {}, {}, {});
    facts.request_n = outbound.record_n();
    facts.method = method;
    CO_ASSIGN_OR_RETURN(auto masked, gateway.masker.Mask(*message, session->mask));
    CO_RETURN_IF_ERROR(
        (co_await gateway.recorder.RecordMessage(*session->chain, facts, std::move(masked)))
            .status());
    co_return message;
  }
}

}  // namespace sallyport::agent
