#include "common/backoff.h"

#include <algorithm>

#include "common/random.h"

namespace sallyport {

absl::Duration Backoff::Next() {
  absl::Duration wait = next_ * (0.5 + 0.5 * RandomFraction());
  next_ = std::min(next_ * 2, most_);
  return wait;
}

absl::Duration Jittered(absl::Duration duration, double share) {
  return duration * (1 - share + 2 * share * RandomFraction());
}

}  // namespace sallyport
