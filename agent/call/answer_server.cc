#include "agent/call/answer_server.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/call/drop_message.h"
#include "agent/call/record_call.h"
#include "agent/mcp/json_scan.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// The id of a request that nobody else has masked goes into our answer's record, so it may hold no
// secret.
bool IsCleanId(Gateway& gateway, const ServedSession& session, const std::string& id) {
  auto request = ScanUpstreamMessage(R"({"jsonrpc":"2.0","method":"ping","id":)" + id + "}");
  return request.ok() && gateway.masker.at_once().Mask(*std::move(request), session.mask).ok();
}

Task<absl::StatusOr<OutboundMessage>> RecordAnswer(Gateway& gateway, Held<ServedSession> session,
                                                   Held<McpConnection> connection,
                                                   ClientMessage answer) {
  const std::shared_ptr<const SessionRules> rules = session->rules;
  CO_ASSIGN_OR_RETURN(MaskedRequest masked,
                      co_await gateway.masker.MaskRequest(
                          session->principal_key(),
                          std::make_shared<const ClientMessage>(std::move(answer)), session->mask));
  const auto unrecorded = connection->answered().Note(gateway.clock.SinceBoot());
  if (!unrecorded) co_return gateway.recorder.AnswerUnrecorded(std::move(masked));
  RequestFacts facts;
  static_cast<RecordFacts&>(facts) = FactsOf(nullptr, *connection, rules.get(), {}, {}, {});
  facts.unrecorded = *unrecorded;
  co_return co_await gateway.recorder.RecordRequest(*session->chain, facts, std::move(masked));
}

}  // namespace

Task<void> AnswerServer(Gateway& gateway, Held<ServedSession> session,
                        Held<McpConnection> connection, ClientMessage answer) {
  if (!IsCleanId(gateway, *session, answer.id)) {
    co_await DropMessage(gateway, *session, *connection, types::v1::DENIAL_REASON_MASKER_BLOCKED,
                         {}, "a request of the server's has a secret for its id");
    co_return;
  }
  const auto outbound = co_await RecordAnswer(gateway, session, connection, std::move(answer));
  if (!outbound.ok() || connection->upstream() == nullptr) co_return;
  // A server that is lost says so where its messages are waited for.
  (void)co_await connection->upstream()->Send(*outbound);
}

}  // namespace sallyport::agent
