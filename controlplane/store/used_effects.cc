#include "controlplane/store/used_effects.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/rule_body.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/calls.h"

namespace sallyport::controlplane::used_effects {
namespace {

bool IsAmong(const std::vector<ReservedCall>& repeated, const ReservedCall& other) {
  return std::ranges::any_of(repeated, [&](const ReservedCall& call) {
    return call.session_id() == other.session_id() && call.call_id() == other.call_id();
  });
}

absl::Status AlreadyDone(const calls::Found& by) {
  const std::string when = TimeText(by.call.reserved_at());
  if (by.is_in_doubt()) {
    return Denied(types::v1::DENIAL_REASON_OUTCOME_UNKNOWN,
                  absl::StrCat("it is done once, and nobody knows whether call ", NameOf(by.call),
                               " of ", when, " did; ", HowToSettle(by.call)));
  }
  return Denied(
      types::v1::DENIAL_REASON_ALREADY_DONE,
      absl::StrCat("it is done once, and a call of ", when,
                   by.call.state() == types::v1::CALL_STATE_DONE ? " did it" : " is doing it"));
}

}  // namespace

absl::Status CheckOnce(Transaction& t, std::string_view server, const types::v1::RuleBody& rule,
                       std::string_view digest, const std::vector<ReservedCall>& repeated,
                       absl::Time now) {
  const absl::Time since =
      rule.once().has_within() ? now - FromProto(rule.once().within()) : absl::UnixEpoch();
  ASSIGN_OR_RETURN(const std::vector<calls::Found> holders,
                   calls::HoldersOf(t, server, digest, since, now));
  for (const calls::Found& found : holders) {
    if (NamesTool(rule, found.call.proto().target()) && !IsAmong(repeated, found.call))
      return AlreadyDone(found);
  }
  return absl::OkStatus();
}

absl::Status CheckLimit(Transaction& t, const types::v1::Principal& principal,
                        std::string_view server, const types::v1::RuleBody& rule, uint64_t objects,
                        absl::Time now) {
  const types::v1::ObjectLimit& limit = rule.limit();
  if (limit.per_call() != 0 && objects > limit.per_call()) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  absl::StrCat("the call touches ", objects, " objects, and one call may ",
                               limit.per_call()));
  }
  if (limit.per_window() == 0) return absl::OkStatus();
  const absl::Duration window = FromProto(limit.window());
  ASSIGN_OR_RETURN(const std::vector<calls::Touched> before,
                   calls::TouchedBy(t, principal, server, limit.count(), now - window));
  uint64_t used = 0;
  for (const calls::Touched& target : before)
    used += NamesTool(rule, target.target) ? target.objects : 0;
  if (used + objects <= limit.per_window()) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                absl::StrCat("calls may touch ", limit.per_window(), " objects within ",
                             absl::FormatDuration(window), ", and ", used, " have been"));
}

}  // namespace sallyport::controlplane::used_effects
