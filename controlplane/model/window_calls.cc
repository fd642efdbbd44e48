#include "controlplane/model/window_calls.h"

#include "absl/strings/str_cat.h"
#include "common/time_text.h"

namespace sallyport::controlplane {

std::string WhyUsedUp(const WindowCalls& calls, uint64_t max_calls, absl::Time ends_at) {
  // Whoever reads it has no use for less than a second.
  const std::string until = TimeText(absl::FromUnixSeconds(absl::ToUnixSeconds(ends_at)));
  if (calls.reported >= max_calls || calls.unreported.empty()) {
    return absl::StrCat("all ", max_calls, " calls (max_calls) are used up until ", until);
  }
  return absl::StrCat("how many of the ", max_calls,
                      " calls (max_calls) are left is not known, for the agent of session ",
                      calls.unreported,
                      " has not reported its end; until it has they count as used up, at the "
                      "longest until ",
                      until);
}

}  // namespace sallyport::controlplane
