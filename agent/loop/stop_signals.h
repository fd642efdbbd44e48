#pragma once

#include "agent/loop/descriptor.h"

namespace sallyport::agent {

// SIGTERM and SIGINT as something to wait for. Made before any other thread is, since it is the
// threads made afterwards that the signals pass over; children that are spawned take them again.
class StopSignals {
 public:
  explicit StopSignals(Loop& loop);

  // The number of the next one.
  auto Next() {
    return Until(descriptor_, Descriptor::Direction::kRead, [this] { return TryNext(); });
  }

 private:
  IoResult TryNext();

  Descriptor descriptor_;
};

}  // namespace sallyport::agent
