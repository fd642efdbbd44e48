#include "agent/call/check_start.h"

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/time_text.h"

namespace sallyport::agent {

absl::Status CheckStart(const Gateway& gateway, const ServedSession& session,
                        RefusalDetails& details) {
  const absl::Duration wait = session.starts.WaitAt(gateway.clock.SinceBoot());
  if (wait <= absl::ZeroDuration()) return absl::OkStatus();
  details.retry_at = TimeText(gateway.clock.Now() + wait);
  const bool is_child = gateway.upstreams.IsChild(session.facts().server);
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                absl::StrCat("upstream_lost: ",
                             is_child ? "the server has ended at its last "
                                      : "the server was lost at the last ",
                             session.starts.failures(),
                             is_child ? " starts; it is not started again before "
                                      : " attempts to reach it; the next one is made after ",
                             details.retry_at));
}

}  // namespace sallyport::agent
