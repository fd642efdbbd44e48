#include "controlplane/access/admission.h"

#include <algorithm>

#include "common/denial.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

absl::StatusOr<Admission> AdmitToNewWindow(WriteTransaction& t,
                                           const types::v1::Principal& principal,
                                           const std::string& server,
                                           const types::v1::EffectiveTerms& terms,
                                           absl::Duration duration, absl::Time now) {
  const Window window{"win_" + NewRequestId(), now, now + FromProto(terms.max_duration())};
  RETURN_IF_ERROR(sessions::InsertWindow(t, principal, server, window));
  return Admission{.window_id = window.id,
                   .expires_at = std::min(window.ends_at, now + duration),
                   .call_budget = terms.max_calls()};
}

absl::StatusOr<Admission> Admit(WriteTransaction& t, const types::v1::Principal& principal,
                                const std::string& server, const types::v1::EffectiveTerms& terms,
                                absl::Duration duration, absl::Time now) {
  ASSIGN_OR_RETURN(const std::optional<Window> window,
                   sessions::OpenWindow(t, principal, server, now));
  if (!window.has_value()) return AdmitToNewWindow(t, principal, server, terms, duration, now);
  Admission admission{.window_id = window->id,
                      .expires_at = std::min(window->ends_at, now + duration)};
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
