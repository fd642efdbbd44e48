#include "agent/call/take_limits.h"

#include <string>
#include <utility>
#include <vector>

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
  if (!call.judged.judgement->is_counted) return call;
  // Where none of the agent's sessions has a limit.
  if (limits.empty() && gateway.call_counts.empty()) return call;
  ServedSession& session = *call.judged.granted.session;
  CallCounts& of_session = session.call_counts;
  const std::string key = LimitKey(session.facts().principal, session.facts().server);
  const auto known = gateway.call_counts.find(key);
  if (limits.empty() && known == gateway.call_counts.end()) return call;
  CallCounts& of_principal =
      known == gateway.call_counts.end() ? gateway.call_counts[key] : known->second;
  const absl::Duration now = gateway.clock.SinceBoot();
  std::vector<CallLimit> taken;
  for (const types::v1::SessionLimit& wire : limits) {
    const CallLimit& limit = taken.emplace_back(ToLimit(wire));
    const CallCounts& counts =
        wire.per() == types::v1::LIMIT_SCOPE_SESSION ? of_session : of_principal;
    const absl::Duration free_at = counts.FreeAt(limit, now);
    if (free_at > now) return Refuse(gateway, std::move(call), wire, free_at - now);
  }
  of_session.Begin(now, taken);
  of_principal.Begin(now, taken);
  call.place = LimitPlace(gateway.clock, of_session, of_principal, now);
  return call;
}

}  // namespace sallyport::agent
