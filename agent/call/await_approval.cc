#include "agent/call/await_approval.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/about_approval.h"
#include "agent/call/check_policy.h"
#include "agent/call/deliver_message.h"
#include "agent/mcp/json_rpc.h"
#include "common/denial.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

using types::v1::Approval;
using Outcome = std::variant<ApprovedCall, RefusedCall, AbandonedCall>;

absl::Time Deadline(const Approval& approval) {
  return absl::FromUnixSeconds(approval.expires_at().seconds());
}

absl::Status StillPending(const Approval& approval) {
  return Denied(
      types::v1::DENIAL_REASON_APPROVAL_PENDING,
      absl::StrCat("approval ", approval.id(), " by ", absl::StrJoin(approval.approvers(), ", "),
                   " is pending until ", TimeText(Deadline(approval)),
                   "; call again with the same arguments once it is approved"));
}

// The answer to a call that has been held for long enough. A modern client comes again by itself
// and waits on, as often as official clients do; the others are told to.
RefusedCall AnswerPending(const Gateway& gateway, JudgedCall call, const Approval& approval) {
  constexpr std::uint32_t kMaxRounds = 9;
  const std::optional<Continuation>& before = call.granted.continues;
  std::string state;
  if (call.message->era == Era::kModern && (!before || before->rounds < kMaxRounds)) {
    auto sealed = SealRequestState(*call.granted.session, *call.message,
                                   before.value_or(Continuation{}), gateway.clock.SinceBoot());
    if (sealed.ok()) state = *std::move(sealed);
  }
  RefusedCall refused = RefuseAbout(std::move(call), StillPending(approval), &approval);
  refused.details.request_state = std::move(state);
  return refused;
}

absl::Status GivenInAbsence(const Approval& approval) {
  return Denied(types::v1::DENIAL_REASON_APPROVAL_PENDING,
                absl::StrCat("approval ", approval.id(),
                             " was given while the client was away; call again with the same "
                             "arguments before ",
                             TimeText(Deadline(approval))));
}

bool HasLiveToken(Gateway& gateway, const ServedSession& session) {
  return gateway.clock.Now() < session.token_expires_at;
}

// What keeps a call from going on after the wait, though it is approved. Ok: nothing.
absl::Status CheckStillLive(Gateway& gateway, const JudgedCall& call) {
  ServedSession& session = *call.granted.session;
  if (auto end = session.live().Due(gateway.snapshots.SilentFor())) {
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, end->detail);
  }
  if (!HasLiveToken(gateway, session)) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_EXPIRED,
                  "the token expired while the call waited; call again with a fresh one");
  }
  const McpConnection& connection = *call.granted.connection;
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

// One place of a held call, as long as it lives.
class HeldPlace {
 public:
  explicit HeldPlace(ServedSession& session) : session_(session) { ++session_.held_for_approval; }
  ~HeldPlace() { --session_.held_for_approval; }
  HeldPlace(const HeldPlace&) = delete;
  HeldPlace& operator=(const HeldPlace&) = delete;

 private:
  ServedSession& session_;
};

// Whether a given approval can be used now: by a client that is there, and, where it has no
// connection to wait on, has shown a token that still holds.
bool CanUse(Gateway& gateway, const AskedCall& call) {
  const Reply& reply = *call.judged.granted.authenticated.incoming.reply;
  return !reply.is_gone() &&
         (reply.takes_news() || HasLiveToken(gateway, *call.judged.granted.session));
}

// Until it is decided, taken back, or held for long enough; the approval as it is then.
Task<Approval> Hold(Gateway& gateway, const AskedCall& call, OpenRequest& request) {
  const GrantedCall& granted = call.judged.granted;
  const ClientMessage& message = *call.judged.message;
  ServedSession& session = *granted.session;
  Reply& reply = *granted.authenticated.incoming.reply;
  const HeldPlace place(session);
  Signal changed(gateway.loop);
  const ApprovalDesk::Waiting waiting(gateway.approvals, call.approval->id(), changed);
  request.waiting = &changed;
  co_await reply.Begin({});
  // A modern client takes its call back by going.
  const bool is_modern = message.era == Era::kModern;
  reply.TellWhenGone([&changed, &request, is_modern] {
    request.is_cancelled = request.is_cancelled || is_modern;
    changed.Set();
  });
  const absl::Duration until = gateway.clock.SinceBoot() + call.hold;
  const std::string text = WaitingText(*call.approval);
  const bool tells_progress = !message.progress_token.empty() && reply.takes_news();
  // Progress must rise over the whole request, and the server counts its own from zero.
  double progress = -2;
  for (;;) {
    const absl::Duration left = until - gateway.clock.SinceBoot();
    const types::v1::ApprovalState state = waiting.approval().state();
    const bool is_given = state == types::v1::APPROVAL_STATE_APPROVED;
    // An approved call waits for a client that may be back before the time is over.
    const bool is_decided =
        is_given ? CanUse(gateway, call) || gateway.clock.Now() >= Deadline(*call.approval)
                 : state != types::v1::APPROVAL_STATE_PENDING;
    const bool is_over = is_decided || request.is_cancelled ||
                         (reply.is_gone() && !reply.may_return()) || session.live().is_ended() ||
                         granted.connection->is_over() || left <= absl::ZeroDuration();
    if (is_over) break;
    if (tells_progress) {
      progress /= 2;
      co_await DeliverNotice(gateway, granted, call.approval->id(),
                             ProgressNotification(message.progress_token, progress, text));
    }
    if (co_await changed.Wait(std::min(left, gateway.limits.approval_progress))) changed.Reset();
  }
  reply.TellWhenGone(nullptr);
  request.waiting = nullptr;
  co_return waiting.approval();
}

Task<Outcome> Await(Gateway& gateway, AskedCall asked, OpenRequest& request) {
  Approval approval = *asked.approval;
  if (approval.state() == types::v1::APPROVAL_STATE_PENDING) {
    approval = co_await Hold(gateway, asked, request);
  }
  JudgedCall& call = asked.judged;
  const ServedSession& session = *call.granted.session;
  const Reply& reply = *call.granted.authenticated.incoming.reply;
  if (request.is_cancelled) {
    gateway.approval_client.Withdraw(approval.id(), session.id());
    co_await RecordApproval(gateway, call, approval,
                            "withdrawn: the client cancelled the call"_words);
    co_return AbandonedCall{std::move(call.granted)};
  }
  if (absl::Status live = CheckStillLive(gateway, call); !live.ok()) {
    co_return RefuseAbout(std::move(call), std::move(live), &approval);
  }
  if (absl::Status denial = DenialOf(approval); !denial.ok()) {
    co_return RefuseAbout(std::move(call), std::move(denial), &approval);
  }
  if (approval.state() != types::v1::APPROVAL_STATE_APPROVED) {
    co_return AnswerPending(gateway, std::move(call), approval);
  }
  // The approval stands: the identical call uses it.
  if (reply.is_gone()) {
    co_return RefuseAbout(std::move(call), GivenInAbsence(approval), &approval);
  }
  auto judged = JudgeAgain(gateway, std::move(call));
  if (auto* refused = std::get_if<RefusedCall>(&judged)) co_return std::move(*refused);
  co_return ApprovedCall{std::get<JudgedCall>(std::move(judged)), std::move(approval),
                         std::move(asked.arguments_digest)};
}

}  // namespace

Task<Outcome> AwaitApproval(Gateway& gateway, AskedCall call, OpenRequest& request) {
  if (call.approval) return Await(gateway, std::move(call), request);
  return Task<Outcome>(ApprovedCall{.judged = std::move(call.judged)});
}

}  // namespace sallyport::agent
