#include "agent/call/take_limits.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/about_approval.h"
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
                        " calls without an answer, and may have no more");
  }
  return absl::StrCat("the ", whose, " may make ", limit.calls(), " calls within ",
                      DurationText(ToLimit(limit).within), ", and has");
}

RefusedCall Refuse(const Gateway& gateway, ApprovedCall call, const types::v1::SessionLimit& limit,
                   absl::Duration left) {
  RefusedCall refused = RefuseAbout(
      std::move(call.judged), Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, Sentence(limit)),
      call.approval.get());
  if (left != absl::InfiniteDuration()) {
    refused.details.retry_at = TimeText(gateway.clock.Now() + left);
  }
  return refused;
}

}  // namespace

Stage<ApprovedCall> TakeLimits(Gateway& gateway, ApprovedCall call) {
  const auto& limits = call.judged.judgement->rules->policy->limits();
  if (limits.empty() || !call.judged.judgement->is_counted) return call;
  ServedSession& session = *call.judged.granted.session;
  CallCounts& of_session = session.call_counts;
  CallCounts& of_principal =
      gateway.call_counts[LimitKey(session.facts().principal, session.facts().server)];
  const absl::Duration now = gateway.clock.SinceBoot();
  absl::Duration within = absl::ZeroDuration();
  std::uint64_t calls = 0;
  for (const types::v1::SessionLimit& wire : limits) {
    const CallLimit limit = ToLimit(wire);
    const CallCounts& counts =
        wire.per() == types::v1::LIMIT_SCOPE_SESSION ? of_session : of_principal;
    const absl::Duration free_at = counts.FreeAt(limit, now);
    if (free_at > now) return Refuse(gateway, std::move(call), wire, free_at - now);
    within = std::max(within, limit.within);
    calls = std::max(calls, limit.calls);
  }
  of_session.Begin(now, within, calls);
  of_principal.Begin(now, within, calls);
  call.place = LimitPlace(of_session, of_principal, now);
  return call;
}

}  // namespace sallyport::agent
