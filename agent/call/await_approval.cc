#include "agent/call/await_approval.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/about_approval.h"
#include "agent/call/check_policy.h"
#include "agent/call/hold_call.h"
#include "common/denial.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

using types::v1::Approval;
using Outcome = std::variant<ApprovedCall, RefusedCall, AbandonedCall>;

absl::Status StillPending(const Approval& approval) {
  return Denied(
      types::v1::DENIAL_REASON_APPROVAL_PENDING,
      absl::StrCat("approval ", approval.id(), " by ", absl::StrJoin(approval.approvers(), ", "),
                   " is pending until ", TimeText(ExpiresAt(approval)),
                   "; call again with the same arguments once it is approved"));
}

absl::Status GivenInAbsence(const Approval& approval) {
  return Denied(types::v1::DENIAL_REASON_APPROVAL_PENDING,
                absl::StrCat("approval ", approval.id(),
                             " was given while the client was away; call again with the same "
                             "arguments before ",
                             TimeText(ExpiresAt(approval))));
}

// Whether a given approval can be used now: by a client that is there, and, where it has no
// connection to wait on, has shown a token that still holds.
bool CanUse(Gateway& gateway, const AskedCall& call) {
  const Reply& reply = *call.judged.granted.reply;
  return !reply.is_gone() &&
         (reply.takes_news() ||
          gateway.clock.Now() < call.judged.granted.session->token_expires_at());
}

// Until it is decided, taken back, or held for long enough; the approval as it is then.
Task<Approval> Hold(Gateway& gateway, const AskedCall& call, OpenRequest& request) {
  Signal changed(gateway.loop);
  const ApprovalDesk::Waiting waiting(gateway.approvals, call.approval->id(), changed);
  const auto is_decided = [&] {
    const types::v1::ApprovalState state = waiting.approval().state();
    if (state != types::v1::APPROVAL_STATE_APPROVED) {
      return state != types::v1::APPROVAL_STATE_PENDING;
    }
    // An approved call waits for a client that may be back before the time is over.
    return CanUse(gateway, call) || gateway.clock.Now() >= ExpiresAt(*call.approval);
  };
  co_await HoldCall(
      gateway, call.judged.granted, *call.judged.message, request, changed,
      {.text = WaitingText(*call.approval), .approval_id = call.approval->id(), .hold = call.hold},
      is_decided);
  co_return waiting.approval();
}

Task<Outcome> Await(Gateway& gateway, AskedCall asked, OpenRequest& request) {
  std::shared_ptr<const Approval> approval = asked.approval;
  if (approval->state() == types::v1::APPROVAL_STATE_PENDING) {
    approval = std::make_shared<const Approval>(co_await Hold(gateway, asked, request));
    asked.place.Leave();
  }
  JudgedCall& call = asked.judged;
  const Reply& reply = *call.granted.reply;
  if (request.is_cancelled) {
    const bool is_withdrawn = LeaveApproval(gateway, *approval);
    co_await RecordApproval(
        gateway, call, *approval,
        is_withdrawn ? "withdrawn: the client cancelled the call"_words
                     : "the client cancelled the call; another one waits for the approval"_words);
    co_return AbandonedCall{std::move(call.granted)};
  }
  if (absl::Status live = CheckStillLive(gateway, call.granted); !live.ok()) {
    co_return RefuseAbout(std::move(call), std::move(live), approval.get());
  }
  if (absl::Status denial = DenialOf(*approval); !denial.ok()) {
    co_return RefuseAbout(std::move(call), std::move(denial), approval.get());
  }
  if (approval->state() != types::v1::APPROVAL_STATE_APPROVED) {
    co_return RefuseForNow(gateway, std::move(call), StillPending(*approval), approval.get());
  }
  // The approval stands: the identical call uses it.
  if (reply.is_gone()) {
    co_return RefuseAbout(std::move(call), GivenInAbsence(*approval), approval.get());
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
