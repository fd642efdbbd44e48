#pragma once

#include "absl/time/time.h"

namespace sallyport {

// How long to wait before the next attempt: doubles from `first` up to `most`, each wait drawn
// between half of it and all of it, so that many who lost the same peer do not come back at once.
// Not thread-safe.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration most) : first_(first), most_(most), next_(first) {}

  absl::Duration Next();
  // After a success: begins at `first` again.
  void Reset() { next_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration most_;
  absl::Duration next_;
};

// `duration` times a factor drawn from [1 - share, 1 + share].
absl::Duration Jittered(absl::Duration duration, double share);

}  // namespace sallyport
