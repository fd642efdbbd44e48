#include "agent/call/settle_call.h"

#include <utility>

#include "agent/call/effect_digest.h"
#include "agent/mcp/task_extension.h"
#include "common/ids.h"
#include "common/log.h"

namespace sallyport::agent {
namespace {

v1::SettleCallRequest Settled(const std::string& session_id, const std::string& call_id,
                              v1::CallOutcome outcome) {
  v1::SettleCallRequest request;
  request.set_session_id(session_id);
  request.set_call_id(call_id);
  request.set_outcome(outcome);
  return request;
}

bool AsksForInput(const UpstreamMessage& response) {
  const auto outcome = ReadTaskOutcome(response.bytes);
  return outcome.ok() && outcome->status == TaskStatus::kInputRequired;
}

}  // namespace

void SettleUnsent(Gateway& gateway, const GrantedCall& call, const std::string& call_id) {
  if (call_id.empty()) return;
  const bool has_gone_out = call.continues && call.continues->call_id == call_id;
  gateway.settlements.Settle(
      Settled(call.session->id(), call_id,
              has_gone_out ? v1::CALL_OUTCOME_UNKNOWN : v1::CALL_OUTCOME_NOT_FORWARDED));
}

void SettleDropped(Gateway& gateway, const GrantedCall& call) {
  if (call.continues) SettleUnsent(gateway, call, call.continues->call_id);
}

bool SettleAnswered(Gateway& gateway, const RecordedCall& call, const UpstreamMessage& response) {
  if (call.call_id.empty()) return true;
  if (AsksForInput(response)) return false;
  gateway.settlements.Settle(
      Settled(call.granted.session->id(), call.call_id, v1::CALL_OUTCOME_ANSWERED));
  return true;
}

std::string SettleUnknown(Gateway& gateway, const RecordedCall& call) {
  const ServedSession& session = *call.granted.session;
  std::string call_id = call.call_id;
  if (call_id.empty() && !call.judgement->is_counted) return {};
  if (call_id.empty()) call_id = NewRequestId();
  v1::SettleCallRequest request = Settled(session.id(), call_id, v1::CALL_OUTCOME_UNKNOWN);
  if (call.call_id.empty()) {
    const ClientMessage& message = call.outbound.message();
    auto digest =
        CallDigest(*call.granted.authenticated->snapshot, session.facts().server, message);
    if (!digest.ok()) {
      LogWarning("call_not_settled", {{"session", session.id()}, {"error", digest.status()}});
      return {};
    }
    request.set_method(message.method);
    // Masked, as whoever reads of it shall see it.
    request.set_target(std::string(call.outbound.shown().target()));
    request.set_call_digest(*std::move(digest));
  }
  gateway.settlements.Settle(std::move(request));
  return call_id;
}

void SettleRounds(Gateway& gateway, ServedSession& session, absl::Duration now) {
  for (const std::string& call_id : session.rounds.TakeGivenUp(now))
    gateway.settlements.Settle(Settled(session.id(), call_id, v1::CALL_OUTCOME_UNKNOWN));
}

}  // namespace sallyport::agent
