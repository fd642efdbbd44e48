#include "agent/call/take_limits.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/call/about_approval.h"
#include "agent/call/request_state.h"
#include "agent/session/session_key.h"
#include "common/denial.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

CallLimit ToLimit(const types::v1::SessionLimit& limit) {
  return {
      .calls = limit.calls(),
      .within = absl::Seconds(limit.within().seconds()) + absl::Nanoseconds(limit.within().nanos()),
      .concurrent = limit.concurrent()};
}

std::string Sentence(const types::v1::SessionLimit& limit) {
  const char* whose = limit.per() == types::v1::LIMIT_SCOPE_SESSION ? "session" : "principal";
  if (limit.concurrent() != 0) {
    return absl::StrCat("the ", whose, " has ", limit.concurrent(),
                        " calls without an answer, or running as tasks, and may have no more");
  }
  return absl::StrCat("the ", whose, " may make ", limit.calls(), " calls within ",
                      DurationText(ToLimit(limit).within), ", and has");
}

// The call was counted before, and its server has asked its client for something since.
bool IsLaterRound(const GrantedCall& call) { return call.continues && call.continues->is_counted; }

RefusedCall Refuse(const Gateway& gateway, ApprovedCall call, const types::v1::SessionLimit& limit,
                   absl::Duration left) {
  const GrantedCall& granted = call.judged.granted;
  // Nobody comes again with the round of a task of ours.
  const bool may_return = IsLaterRound(granted) && granted.reply->takes_news();
  if (may_return) ReopenRound(*granted.session, *granted.continues, gateway.clock.SinceBoot());
  std::string retry_at;
  if (left != absl::InfiniteDuration()) retry_at = TimeText(gateway.clock.Now() + left);
  std::string why = Sentence(limit);
  if (!retry_at.empty()) absl::StrAppend(&why, "; it has room again after ", retry_at);
  if (may_return) absl::StrAppend(&why, "; come again with the same requestState");
  // `limit` is of what is given away below.
  std::string document = call.judged.judgement->rules->policy->DocumentOf(limit);
  RefusedCall refused =
      RefuseAbout(std::move(call.judged), Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, why),
                  call.approval.get());
  refused.details.policy = std::move(document);
  refused.details.is_round_open = may_return;
  refused.details.retry_at = std::move(retry_at);
  return refused;
}

// Whether the session's calls are counted: where a limit asks for it, or one of another session of
// the principal does.
bool EnsureCounted(Gateway& gateway, ServedSession& session, bool has_limits) {
  if (session.principal_counts != nullptr) return true;
  if (!has_limits && gateway.call_counts.empty()) return false;
  const SessionFacts& facts = session.facts();
  const std::string of_principal = LimitKey(facts.principal, facts.server);
  if (!has_limits && !gateway.call_counts.Has(of_principal)) return false;
  session.principal_counts = gateway.call_counts.Of(of_principal);
  session.call_counts = gateway.call_counts.Of(absl::StrCat(
      "session\n", SessionKey(session.principal_key(), facts.server), "\n", facts.client_address));
  return true;
}

}  // namespace

Stage<ApprovedCall> TakeLimits(Gateway& gateway, ApprovedCall call) {
  const auto& limits = call.judged.judgement->rules->policy->limits();
  ServedSession& session = *call.judged.granted.session;
  const bool goes_on = IsLaterRound(call.judged.granted);
  if (!call.judged.judgement->is_counted && !goes_on) return call;
  if (!EnsureCounted(gateway, session, !limits.empty())) return call;
  const absl::Duration now = gateway.clock.SinceBoot();
  std::vector<CallLimit> taken;
  for (const types::v1::SessionLimit& wire : limits) {
    // Within a time it is the one call that went out already.
    if (goes_on && wire.concurrent() == 0) continue;
    const CallLimit& limit = taken.emplace_back(ToLimit(wire));
    const CountTable::Kept& counts = wire.per() == types::v1::LIMIT_SCOPE_SESSION
                                         ? *session.call_counts
                                         : *session.principal_counts;
    const absl::Duration free_at = counts.calls.FreeAt(limit, now);
    if (free_at > now) return Refuse(gateway, std::move(call), wire, free_at - now);
  }
  if (goes_on) {
    for (CountTable::Kept* kept : {session.call_counts.get(), session.principal_counts.get()})
      kept->calls.GoOn();
    call.place =
        LimitPlace(gateway.clock, session.call_counts, session.principal_counts, std::nullopt);
    return call;
  }
  absl::Status begun =
      gateway.call_counts.Begin(*session.call_counts, *session.principal_counts, now, taken);
  if (!begun.ok()) {
    return RefuseAbout(std::move(call.judged),
                       WithReason(begun, types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE),
                       call.approval.get());
  }
  call.place = LimitPlace(gateway.clock, session.call_counts, session.principal_counts, now);
  return call;
}

}  // namespace sallyport::agent
