#include "controlplane/access/admission.h"

#include <algorithm>

#include "common/denial.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

namespace {

// What has less time left is over before its agent has served a request.
constexpr absl::Duration kShortest = absl::Seconds(1);

// A grant counts in whole seconds: a session that ended within one would be over at its agent
// before it is over here.
absl::Time WholeSecond(absl::Time time) {
  return absl::FromUnixSeconds(absl::ToUnixSeconds(time + absl::Seconds(1) - absl::Nanoseconds(1)));
}

// A window that begins then, for a session that begins now.
absl::StatusOr<Admission> AdmitTo(WriteTransaction& t, const types::v1::Principal& principal,
                                  const std::string& server, const types::v1::EffectiveTerms& terms,
                                  absl::Duration duration, absl::Time starts_at, absl::Time now) {
  const Window window{"win_" + NewRequestId(), starts_at,
                      WholeSecond(starts_at + FromProto(terms.max_duration()))};
  RETURN_IF_ERROR(sessions::InsertWindow(t, principal, server, window));
  return Admission{.window_id = window.id,
                   .expires_at = std::min(window.ends_at, WholeSecond(now + duration)),
                   .call_budget = terms.max_calls()};
}

}  // namespace

absl::StatusOr<Admission> AdmitToNewWindow(WriteTransaction& t,
                                           const types::v1::Principal& principal,
                                           const std::string& server,
                                           const types::v1::EffectiveTerms& terms,
                                           absl::Duration duration, absl::Time now) {
  return AdmitTo(t, principal, server, terms, duration, now, now);
}

absl::StatusOr<Admission> Admit(WriteTransaction& t, const types::v1::Principal& principal,
                                const std::string& server, const types::v1::EffectiveTerms& terms,
                                absl::Duration duration, absl::Time now) {
  ASSIGN_OR_RETURN(const std::optional<Window> window,
                   sessions::OpenWindow(t, principal, server, now));
  if (!window.has_value()) return AdmitToNewWindow(t, principal, server, terms, duration, now);
  if (window->ends_at - now < kShortest) {
    return AdmitTo(t, principal, server, terms, duration, window->ends_at, now);
  }
  Admission admission{.window_id = window->id,
                      .expires_at = std::min(window->ends_at, WholeSecond(now + duration))};
  if (terms.max_calls() == 0) return admission;
  ASSIGN_OR_RETURN(const WindowCalls calls, sessions::CallsUsed(t, window->id));
  if (calls.used >= terms.max_calls()) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  WhyUsedUp(calls, terms.max_calls(), window->ends_at));
  }
  admission.call_budget = terms.max_calls() - calls.used;
  return admission;
}

}  // namespace sallyport::controlplane
