#include "agent/call/hold_call.h"

#include <algorithm>
#include <utility>

#include "agent/call/about_approval.h"
#include "agent/call/deliver_message.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/modern_result.h"
#include "common/denial.h"

namespace sallyport::agent {

absl::StatusOr<HeldPlace> TakeHeldPlace(Gateway& gateway, const Held<ServedSession>& session) {
  if (session->held_calls < gateway.limits.held_calls_of_session &&
      gateway.held_calls < gateway.limits.held_calls) {
    return HeldPlace(session, gateway.held_calls);
  }
  return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                "too many calls of this session wait for a person already");
}

Task<void> HoldCall(Gateway& gateway, const GrantedCall& call, const ClientMessage& message,
                    OpenRequest& request, Signal& changed, HoldTerms terms,
                    absl::FunctionRef<bool()> is_decided) {
  ServedSession& session = *call.session;
  Reply& reply = *call.reply;
  request.waiting = &changed;
  co_await reply.Begin({});
  // A modern client takes its call back by going.
  const bool is_modern = message.era == Era::kModern;
  reply.TellWhenGone([&changed, &request, is_modern] {
    request.is_cancelled = request.is_cancelled || is_modern;
    changed.Set();
  });
  const absl::Duration until = gateway.clock.SinceBoot() + terms.hold;
  const bool tells_progress = !message.progress_token.empty() && reply.takes_news();
  // Progress must rise over the whole request, and the server counts its own from zero.
  double progress = -2;
  absl::Duration tell_at = gateway.clock.SinceBoot();
  for (;;) {
    const absl::Duration now = gateway.clock.SinceBoot();
    const absl::Duration left = until - now;
    const bool is_over = is_decided() || request.is_cancelled ||
                         (reply.is_gone() && !reply.may_return()) || session.live().is_ended() ||
                         call.connection->is_over() || left <= absl::ZeroDuration();
    if (is_over) break;
    // What wakes it up and decides nothing is no news.
    if (tells_progress && now >= tell_at) {
      tell_at = now + gateway.limits.approval_progress;
      progress /= 2;
      co_await DeliverNotice(gateway, call, terms.approval_id,
                             ProgressNotification(message.progress_token, progress, terms.text));
    }
    const absl::Duration pause = tells_progress ? tell_at - now : gateway.limits.approval_progress;
    if (co_await changed.Wait(std::min(left, pause))) changed.Reset();
  }
  reply.TellWhenGone(nullptr);
  request.waiting = nullptr;
}

absl::Status CheckStillLive(const Gateway& gateway, const GrantedCall& call) {
  ServedSession& session = *call.session;
  const McpConnection& connection = *call.connection;
  if (auto end = session.live().Due(gateway.snapshots.SilentFor())) {
    return end->Refusal();
  }
  if (gateway.clock.Now() >= session.token_expires_at()) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_EXPIRED,
                  "the token expired while the call waited; call again with a fresh one");
  }
  if (connection.is_deleted()) {
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "the client deleted its MCP session");
  }
  if (connection.is_over()) {
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                  "upstream_lost: the server was lost while the call waited; it was not sent, and "
                  "its approval stands");
  }
  return absl::OkStatus();
}

RefusedCall RefuseForNow(const Gateway& gateway, JudgedCall call, absl::Status why,
                         const types::v1::Approval* approval) {
  constexpr std::uint32_t kMaxRounds = 9;
  const Continuation* before = call.granted.continues.get();
  std::string state;
  if (call.message->era == Era::kModern && MayAskForInput(call.message->method) &&
      (!before || before->rounds < kMaxRounds)) {
    auto sealed =
        SealRequestState(*call.granted.session, *call.message,
                         before == nullptr ? Continuation{} : *before, gateway.clock.SinceBoot());
    if (sealed.ok()) state = *std::move(sealed);
  }
  RefusedCall refused = RefuseAbout(std::move(call), std::move(why), approval);
  refused.details.request_state = std::move(state);
  return refused;
}

}  // namespace sallyport::agent
