#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace sallyport {

// Which of the things are recorded, or logged, that somebody else may do as often as they like, for
// as long as they like: ten at once, and one more for each ten seconds since.
class FewRecorded {
 public:
  // One more. If it is to be recorded: how many before it were not.
  std::optional<std::uint64_t> Note(absl::Duration now);
  // How many were not, since the last that was.
  std::uint64_t unrecorded() const { return unrecorded_; }

 private:
  // From when on one more is recorded; and how many were not.
  absl::Duration recorded_at_ = -absl::InfiniteDuration();
  std::uint64_t unrecorded_ = 0;
};

}  // namespace sallyport
