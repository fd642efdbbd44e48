#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace sallyport::controlplane {

// The counted calls of the sessions of one window.
struct WindowCalls {
  // What was reported, and of a session whose end has not been reported all that it may make.
  uint64_t used = 0;
  // Of them, what was reported.
  uint64_t reported = 0;
  // A session whose end has not been reported; empty: there is none.
  std::string unreported = {};
};

// Why a window whose budget of `max_calls` has nothing left has nothing left: the calls were made,
// or it is not known yet how many were. It ends at `ends_at`.
std::string WhyUsedUp(const WindowCalls& calls, uint64_t max_calls, absl::Time ends_at);

}  // namespace sallyport::controlplane
