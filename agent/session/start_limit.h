#pragma once

#include "absl/time/time.h"
#include "common/backoff.h"

namespace sallyport::agent {

// Keeps a server that ends as soon as it has started from being started over and over: after one
// failure it may be tried at once, after each further one in a row later and later. Times are since
// boot. A value.
class StartLimit {
 public:
  // `longest` is the most that one waits.
  explicit StartLimit(absl::Duration longest = absl::Seconds(30))
      : longest_(longest), backoff_(absl::Seconds(1), longest) {}

  // How long until it may be started; zero: it may.
  absl::Duration WaitAt(absl::Duration now) const;
  // It ended, or could not be started, `lived` after its start: what has lived for ten seconds was
  // no failed start. Starts that fail while it may not be started anyway are one with the last.
  void Ended(absl::Duration now, absl::Duration lived);
  // Failed starts in a row.
  int failures() const { return failures_; }

 private:
  absl::Duration longest_;
  Backoff backoff_;
  int failures_ = 0;
  absl::Duration next_ = absl::ZeroDuration();
};

}  // namespace sallyport::agent
