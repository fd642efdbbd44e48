#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace sallyport::agent {

// When the heap is to give back what a load has left behind. glibc keeps freed memory that lies
// below something still in use, and a load of ten thousand sessions leaves hundreds of megabytes of
// it. Asking for it costs the loop some milliseconds, so it is done when little goes on, and only
// when there is something to gain. On the loop's thread.
class HeapRest {
 public:
  static constexpr absl::Duration kPeriod = absl::Seconds(2);

  // Each period, with the calls since the start and the bytes that the heap holds free. True: ask
  // for them now.
  bool IsDue(std::uint64_t calls, std::uint64_t free_bytes);

  // What that comes to for this process: looks at the heap and gives it back when it is due.
  void Tick(std::uint64_t calls);

 private:
  static constexpr std::uint64_t kFewCalls = 100;
  static constexpr std::uint64_t kWorthwhileBytes = std::uint64_t{2} << 20;

  std::uint64_t calls_ = 0;
  // Free, and given back already.
  std::uint64_t given_back_ = 0;
};

}  // namespace sallyport::agent
