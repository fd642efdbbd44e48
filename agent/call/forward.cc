#include "agent/call/forward.h"

#include <optional>
#include <string>
#include <utility>

#include "agent/call/asked_news.h"
#include "agent/call/claim.h"
#include "agent/call/deliver_message.h"
#include "agent/call/server_failure.h"
#include "agent/call/settle_call.h"
#include "agent/call/shown.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/listen_notice.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// In the modern era a client cancels its request by closing the stream of the answer.
class CancelWhenGone {
 public:
  CancelWhenGone(Reply& reply, OpenRequest& request, Era era)
      : reply_(era == Era::kModern ? &reply : nullptr) {
    if (reply_ == nullptr) return;
    reply_->TellWhenGone([&request] {
      request.is_cancelled = true;
      if (request.exchange != nullptr) request.exchange->Cancel();
    });
  }
  ~CancelWhenGone() {
    if (reply_ != nullptr) reply_->TellWhenGone(nullptr);
  }
  CancelWhenGone(const CancelWhenGone&) = delete;
  CancelWhenGone& operator=(const CancelWhenGone&) = delete;

 private:
  Reply* reply_;
};

// `call_id` as the control plane knows the call. False: it has no record.
Task<bool> RecordOutcome(Gateway& gateway, const RecordedCall& call, std::string_view outcome,
                         const absl::Status& why, std::string call_id, bool is_taken_back = false) {
  ServedSession& session = *call.granted.session;
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_OUTCOME;
  facts.request = &call.outbound.shown();
  facts.outcome = outcome;
  facts.is_taken_back = is_taken_back;
  facts.request_n = call.outbound.record_n();
  facts.approval_id = call.approval_id;
  facts.call_id = call_id;
  facts.denial_reason = ReasonOf(why);
  facts.detail = Show(gateway, session, ToStd(why.message()));
  absl::Status recorded = co_await gateway.recorder.RecordEvent(*session.chain, std::move(facts));
  if (!recorded.ok()) LogError("record_failed", {{"session", session.id()}, {"error", recorded}});
  co_return recorded.ok();
}

// Its client kept others waiting, or there was no room for its answer.
bool IsGivenUp(const absl::Status& status) {
  return ReasonOf(status) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED;
}

// The reason a client is told when the exchange broke off.
absl::Status Failure(const LiveSession& live, const McpConnection& connection,
                     const absl::Status& status) {
  if (live.is_ended()) return live.end().Refusal();
  if (connection.is_deleted()) {
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "the client deleted its MCP session");
  }
  return ServerFailure(status, {}, "; whether the call took effect is unknown");
}

// The same where nothing of the call could go out.
absl::Status FailureToSend(const LiveSession& live, const absl::Status& status) {
  if (live.is_ended()) return live.end().Refusal();
  if (ReasonOf(status) == types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE) return status;
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                "upstream_lost: the server cannot be reached; the call was not sent");
}

// Of a call that has come too late. Ok: its client has taken it back.
absl::Status WhyNotSent(const LiveSession& live, const OpenRequest& request) {
  if (live.is_ended()) return live.end().Refusal();
  if (request.is_cancelled) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST, "the MCP session has ended");
}

// Nothing of it has gone out, and nothing will.
Task<void> AnswerUnsent(Gateway& gateway, const RecordedCall& call, std::string_view outcome,
                        absl::Status why, bool is_cancelled) {
  SettleUnsent(gateway, call.granted, call.call_id);
  // Its place is free once that is durable: a count that a crash could bring back would let one
  // call too many out.
  const bool is_counted = call.judgement->is_counted;
  if (co_await RecordOutcome(gateway, call, outcome, why, call.call_id, is_counted) && is_counted)
    call.granted.session->live().UncountCall();
  if (is_cancelled) {
    co_await call.granted.reply->End();
  } else {
    co_await AnswerFailed(gateway, call, why);
  }
}

// It has gone out, and `lost` came in place of the rest of its answer.
Task<void> AnswerBroken(Gateway& gateway, RecordedCall& call, const OpenRequest& request,
                        absl::Status lost) {
  const LiveSession& live = call.granted.session->live();
  if (request.is_cancelled && !live.is_ended() && !IsGivenUp(lost)) {
    (void)co_await RecordOutcome(gateway, call, "cancelled", absl::OkStatus(),
                                 SettleUnknown(gateway, call));
    co_await call.granted.reply->End();
    co_return;
  }
  if (request.is_listening && (live.is_ended() || request.is_token_over)) {
    UpstreamMessage ended = ListenEnded(call.outbound.message().id);
    SettleAnswered(gateway, call, ended);
    co_await DeliverResponse(gateway, call, std::move(ended));
    co_return;
  }
  const absl::Status why = Failure(live, *call.granted.connection, lost);
  LogWarning("call_failed",
             {{"session", live.facts().id}, {"error", Show(gateway, *call.granted.session, lost)}});
  (void)co_await RecordOutcome(gateway, call, "unknown", why, SettleUnknown(gateway, call));
  co_await AnswerFailed(gateway, call, why);
}

}  // namespace

Task<void> Forward(Gateway& gateway, RecordedCall call, OpenRequest& request) {
  Reply& reply = *call.granted.reply;
  LiveSession& live = call.granted.session->live();
  McpConnection& connection = *call.granted.connection;
  const CancelWhenGone cancel_when_gone(reply, request, call.outbound.message().era);
  if (live.is_ended() || connection.is_over() || request.is_cancelled) {
    co_await AnswerUnsent(gateway, call, "cancelled", WhyNotSent(live, request),
                          request.is_cancelled);
    co_return;
  }
  reply.BeginWhenSlow({});
  Claim claim(connection.mcp(), call.outbound.message());
  auto exchange = co_await connection.upstream()->Forward(call.outbound);
  if (!exchange.ok()) {
    claim.Withdraw();
    co_await AnswerUnsent(gateway, call, "error", FailureToSend(live, exchange.status()), false);
    co_return;
  }
  ++gateway.metrics.calls_forwarded;
  call.place.WentOut();
  request.exchange = exchange->get();
  request.is_listening = IsListening(call.outbound.message());
  std::optional<LiveSession::Stream> stream;
  if (request.is_listening) stream.emplace(live);
  if (request.is_cancelled) (*exchange)->Cancel();
  AskedNews news(call.outbound.message());
  for (;;) {
    auto message = co_await (*exchange)->Next();
    if (message.ok() && message->shape != Shape::kResponse) {
      if (const std::string_view why = news.WhyDropped(*message); !why.empty()) {
        co_await DropUnasked(gateway, call.granted, *message, why);
        continue;
      }
      if (request.is_listening) {
        const auto& words = call.granted.left_out;
        message = NarrowAcknowledgement(*std::move(message), call.outbound.message(),
                                        words != nullptr ? *words : std::string_view());
      }
      if (message.ok()) {
        co_await DeliverMessage(gateway, call.granted, *std::move(message));
        continue;
      }
    }
    request.exchange = nullptr;
    if (!message.ok()) {
      co_await AnswerBroken(gateway, call, request, message.status());
      co_return;
    }
    if (stream && message->is_error) stream->Refused();
    const bool goes_on = !SettleAnswered(gateway, call, *message);
    if (const absl::Status settled = claim.Settle(*message, call.place); settled.ok()) {
      const bool is_delivered = co_await DeliverResponse(gateway, call, *std::move(message));
      if (goes_on && !is_delivered) SettleUnknown(gateway, call);
    } else {
      co_await AnswerFailed(gateway, call, settled);
    }
    // Nothing where it goes on as a task.
    call.place.Answered();
    co_return;
  }
}

}  // namespace sallyport::agent
