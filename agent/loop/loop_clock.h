#pragma once

#include <cstdint>

#include "agent/loop/loop.h"
#include "common/clock.h"

namespace sallyport::agent {

// A clock that stands still while the loop runs one thing: a call asks for the time a dozen times,
// and each look costs as much as its answer is worth there. On the loop's thread; before the loop
// runs it is the clock that it stands on.
class LoopClock final : public Clock {
 public:
  // Both outlive it.
  LoopClock(const Loop& loop, const Clock& clock) : loop_(loop), clock_(clock) {}

  absl::Time Now() const override {
    return now_.At(loop_, [&] { return clock_.Now(); });
  }
  absl::Duration SinceBoot() const override {
    return since_boot_.At(loop_, [&] { return clock_.SinceBoot(); });
  }

 private:
  template <class Reading>
  class Kept {
   public:
    template <class Look>
    Reading At(const Loop& loop, Look look) {
      if (loop.moment() == 0 || loop.moment() != moment_) {
        moment_ = loop.moment();
        reading_ = look();
      }
      return reading_;
    }

   private:
    std::uint64_t moment_ = 0;
    Reading reading_;
  };

  const Loop& loop_;
  const Clock& clock_;
  mutable Kept<absl::Time> now_;
  mutable Kept<absl::Duration> since_boot_;
};

}  // namespace sallyport::agent
