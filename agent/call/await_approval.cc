#include "agent/call/await_approval.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/arguments_digest.h"
#include "agent/call/check_policy.h"
#include "agent/call/deliver_message.h"
#include "agent/call/shown.h"
#include "agent/mcp/json_rpc.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/json_printer.h"
#include "common/log.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::Approval;
using Outcome = std::variant<PermittedCall, RefusedCall, AbandonedCall>;

std::string Deadline(const Approval& approval) {
  return FormatTime(absl::FromUnixSeconds(approval.expires_at().seconds()));
}

RefusedCall Refuse(JudgedCall call, absl::Status why, const Approval* approval = nullptr) {
  RefusalDetails details;
  details.policy = call.policy;
  if (approval != nullptr) {
    details.approval_id = approval->id();
    details.expires_at = Deadline(*approval);
    details.approvers.assign(approval->approvers().begin(), approval->approvers().end());
  }
  return RefusedCall{std::move(call.granted), std::move(call.message), std::move(why),
                     std::move(details)};
}

// Null: not decided yet. What a decision other than yes means for the call.
absl::Status Denial(const Approval& approval) {
  switch (approval.state()) {
    case types::v1::APPROVAL_STATE_DENIED: {
      std::string words;
      for (const auto& decision : approval.decisions()) {
        if (!decision.approve() && !decision.reason().empty()) words = ": " + decision.reason();
      }
      return Denied(types::v1::DENIAL_REASON_APPROVAL_DENIED,
                    absl::StrCat("approval ", approval.id(), " was denied", words));
    }
    case types::v1::APPROVAL_STATE_EXPIRED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_EXPIRED,
                    absl::StrCat("approval ", approval.id(), " expired before anybody decided"));
    case types::v1::APPROVAL_STATE_WITHDRAWN:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_REVOKED,
                    absl::StrCat("approval ", approval.id(), " was taken back"));
    case types::v1::APPROVAL_STATE_CONSUMED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_CONSUMED,
                    absl::StrCat("approval ", approval.id(), " has been used by another call"));
    default:
      return absl::OkStatus();
  }
}

absl::Status StillPending(const Approval& approval) {
  return Denied(
      types::v1::DENIAL_REASON_APPROVAL_PENDING,
      absl::StrCat("approval ", approval.id(), " by ", absl::StrJoin(approval.approvers(), ", "),
                   " is pending until ", Deadline(approval),
                   "; call again with the same arguments once it is approved"));
}

// The answer to a call that has been held for long enough. A modern client comes again by itself
// and waits on, as often as official clients do; the others are told to.
RefusedCall AnswerPending(JudgedCall call, const Approval& approval) {
  constexpr std::uint32_t kMaxRounds = 9;
  const std::optional<Continuation>& before = call.granted.continues;
  std::string state;
  if (call.message->era == Era::kModern && (!before || before->rounds < kMaxRounds)) {
    auto sealed =
        SealRequestState(*call.granted.session, *call.message, before.value_or(Continuation{}));
    if (sealed.ok()) state = *std::move(sealed);
  }
  RefusedCall refused = Refuse(std::move(call), StillPending(approval), &approval);
  refused.details.request_state = std::move(state);
  return refused;
}

absl::Status GivenInAbsence(const Approval& approval) {
  return Denied(types::v1::DENIAL_REASON_APPROVAL_PENDING,
                absl::StrCat("approval ", approval.id(),
                             " was given while the client was away; call again with the same "
                             "arguments before ",
                             Deadline(approval)));
}

Task<void> RecordApproval(Gateway& gateway, const JudgedCall& call, const Approval& approval,
                          ShownText detail) {
  ServedSession& session = *call.granted.session;
  const ShownRequest shown = Show(gateway, session, call.message);
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_APPROVAL;
  facts.request = &shown;
  facts.approval_id = approval.id();
  facts.policy = call.policy;
  facts.mcp_session = call.granted.connection->record_tag();
  facts.detail = std::move(detail);
  absl::Status recorded = co_await gateway.recorder.RecordEvent(*session.chain, std::move(facts));
  // The record of the call itself decides whether it may go out; without this one it is only less
  // told.
  if (!recorded.ok()) LogError("record_failed", {{"session", session.id()}, {"error", recorded}});
}

Task<absl::StatusOr<Approval>> Request(Gateway& gateway, const JudgedCall& call,
                                       std::string digest) {
  ServedSession& session = *call.granted.session;
  auto shown = gateway.masker.ShowToApprover(*call.message, session.mask);
  if (!shown.ok()) {
    co_return Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                     "the call cannot be shown to an approver");
  }
  v1::RequestCallApprovalRequest request;
  request.set_session_id(session.id());
  request.set_method(call.message->method);
  request.set_target(call.message->target);
  request.set_arguments_digest(std::move(digest));
  request.set_arguments(std::move(shown->arguments));
  co_return co_await gateway.approval_client.Request(std::move(request));
}

// What keeps a session from going on after the wait. Ok: nothing.
absl::Status CheckStillLive(Gateway& gateway, const JudgedCall& call) {
  ServedSession& session = *call.granted.session;
  if (auto end = session.live().Due()) {
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, end->detail);
  }
  if (gateway.clock.Now() >= session.token_expires_at) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_EXPIRED,
                  "the token expired while the call waited; call again with a fresh one");
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

// Until it is decided, taken back, or held for long enough; the approval as it is then.
Task<Approval> Hold(Gateway& gateway, const JudgedCall& call, OpenRequest& request,
                    Approval approval) {
  ServedSession& session = *call.granted.session;
  Reply& reply = *call.granted.authenticated.incoming.reply;
  const HeldPlace place(session);
  Signal changed(gateway.loop);
  const ApprovalDesk::Waiting waiting(gateway.approvals, approval.id(), changed);
  request.waiting = &changed;
  co_await reply.Begin({});
  // A modern client takes its call back by going.
  const bool is_modern = call.message->era == Era::kModern;
  reply.TellWhenGone([&changed, &request, is_modern] {
    request.is_cancelled = request.is_cancelled || is_modern;
    changed.Set();
  });
  const absl::Duration until = gateway.clock.SinceBoot() + gateway.limits.approval_hold;
  const std::string text =
      absl::StrCat("Waiting for approval ", approval.id(), " by ",
                   absl::StrJoin(approval.approvers(), ", "), ", expires ", Deadline(approval));
  // Progress must rise over the whole request, and the server counts its own from zero.
  double progress = -2;
  for (;;) {
    const absl::Duration left = until - gateway.clock.SinceBoot();
    const types::v1::ApprovalState state = waiting.approval().state();
    // An approved call waits for a client that may be back before the time is over.
    const bool is_decided = state != types::v1::APPROVAL_STATE_PENDING &&
                            (state != types::v1::APPROVAL_STATE_APPROVED || !reply.is_gone());
    const bool is_over = is_decided || request.is_cancelled ||
                         (reply.is_gone() && !reply.may_return()) || session.live().is_ended() ||
                         left <= absl::ZeroDuration();
    if (is_over) break;
    if (!call.message->progress_token.empty()) {
      progress /= 2;
      co_await DeliverNotice(gateway, call.granted, approval.id(),
                             ProgressNotification(call.message->progress_token, progress, text));
    }
    if (co_await changed.Wait(std::min(left, gateway.limits.approval_progress))) changed.Reset();
  }
  reply.TellWhenGone(nullptr);
  request.waiting = nullptr;
  co_return waiting.approval();
}

Task<Outcome> AskAndWait(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  ServedSession& session = *call.granted.session;
  if (session.held_for_approval >= gateway.limits.held_for_approval_of_session ||
      gateway.approvals.waiting() >= gateway.limits.held_for_approval) {
    co_return Refuse(std::move(call),
                     Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                            "too many calls of this session wait for approval already"));
  }
  auto digest = ArgumentsDigest(session, *call.message);
  if (!digest.ok()) co_return Refuse(std::move(call), digest.status());
  auto asked = co_await Request(gateway, call, *digest);
  if (!asked.ok()) co_return Refuse(std::move(call), asked.status());
  gateway.approvals.Learn(*asked, gateway.sessions);
  Approval approval = *std::move(asked);
  if (approval.state() == types::v1::APPROVAL_STATE_PENDING) {
    co_await RecordApproval(gateway, call, approval, "asked for"_words);
    approval = co_await Hold(gateway, call, request, std::move(approval));
  }
  Reply& reply = *call.granted.authenticated.incoming.reply;
  if (request.is_cancelled) {
    gateway.approval_client.Withdraw(approval.id(), session.id());
    co_await RecordApproval(gateway, call, approval,
                            "withdrawn: the client cancelled the call"_words);
    co_return AbandonedCall{std::move(call.granted)};
  }
  if (absl::Status live = CheckStillLive(gateway, call); !live.ok()) {
    co_return Refuse(std::move(call), std::move(live), &approval);
  }
  if (absl::Status denial = Denial(approval); !denial.ok()) {
    co_return Refuse(std::move(call), std::move(denial), &approval);
  }
  if (approval.state() != types::v1::APPROVAL_STATE_APPROVED) {
    co_return AnswerPending(std::move(call), approval);
  }
  // The approval stands: the identical call uses it.
  if (reply.is_gone()) co_return Refuse(std::move(call), GivenInAbsence(approval), &approval);

  // Policy may have changed while the call waited.
  AuthenticatedCall& authenticated = call.granted.authenticated;
  if (auto current = gateway.snapshots.current(); current != authenticated.snapshot) {
    authenticated.snapshot = std::move(current);
    auto judged = CheckPolicy(gateway, std::move(call.granted), std::move(call.message));
    if (auto* refused = std::get_if<RefusedCall>(&judged)) co_return std::move(*refused);
    call = std::get<JudgedCall>(std::move(judged));
  }
  v1::ConsumeCallApprovalRequest consume;
  consume.set_approval_id(approval.id());
  consume.set_session_id(session.id());
  consume.set_call_id(NewRequestId());
  consume.set_arguments_digest(*digest);
  absl::Status consumed = co_await gateway.approval_client.Consume(std::move(consume));
  if (!consumed.ok()) co_return Refuse(std::move(call), std::move(consumed), &approval);
  co_await RecordApproval(gateway, call, approval, "used"_words);
  if (absl::Status live = CheckStillLive(gateway, call); !live.ok()) {
    co_return Refuse(std::move(call), std::move(live), &approval);
  }
  co_return PermittedCall{std::move(call), approval.id()};
}

}  // namespace

Task<Outcome> AwaitApproval(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  if (call.approval) return AskAndWait(gateway, std::move(call), request);
  return Task<Outcome>(PermittedCall{std::move(call), {}});
}

}  // namespace sallyport::agent
