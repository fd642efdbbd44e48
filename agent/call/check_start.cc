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
  return Denied(
      types::v1::DENIAL_REASON_UPSTREAM_LOST,
      absl::StrCat("upstream_lost: the server has ended at its last ", session.starts.failures(),
                   " starts; it is not started again before ", details.retry_at));
}

}  // namespace sallyport::agent
