#include "agent/session/start_limit.h"

#include <algorithm>

namespace sallyport::agent {
namespace {

constexpr absl::Duration kLongLife = absl::Seconds(10);

}  // namespace

absl::Duration StartLimit::WaitAt(absl::Duration now) const {
  return std::max(next_ - now, absl::ZeroDuration());
}

void StartLimit::Ended(absl::Duration now, absl::Duration lived) {
  if (lived >= kLongLife) {
    *this = StartLimit(longest_);
    return;
  }
  if (now < next_) return;
  if (++failures_ > 1) next_ = now + backoff_.Next();
}

}  // namespace sallyport::agent
