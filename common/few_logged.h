#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "common/clock.h"
#include "common/few_recorded.h"

namespace sallyport {

// Which lines of a library are logged that strangers may cause (few_recorded.h), on any thread.
class FewLogged {
 public:
  // One more. If it is to be logged: how many before it were not.
  std::optional<std::uint64_t> Note() {
    const std::lock_guard lock(mutex_);
    return few_.Note(SystemClock().SinceBoot());
  }

 private:
  std::mutex mutex_;
  FewRecorded few_;
};

}  // namespace sallyport
