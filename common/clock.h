#pragma once

#include "absl/time/time.h"

namespace sallyport {

// The two clocks that decisions read. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The wall clock: what `exp` and certificates are judged by. May be stepped.
  virtual absl::Time Now() const = 0;

  // CLOCK_BOOTTIME: never stepped, and counts while the machine sleeps. What remaining times are
  // counted down with.
  virtual absl::Duration SinceBoot() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration SinceBoot() const override;
};

}  // namespace sallyport
