#include "common/few_recorded.h"

#include <algorithm>
#include <utility>

namespace sallyport {

std::optional<std::uint64_t> FewRecorded::Note(absl::Duration now) {
  constexpr int kAtOnce = 10;
  constexpr absl::Duration kOneIn = absl::Seconds(10);
  if (now < recorded_at_) {
    ++unrecorded_;
    return std::nullopt;
  }
  recorded_at_ = std::max(recorded_at_, now - (kAtOnce - 1) * kOneIn) + kOneIn;
  return std::exchange(unrecorded_, 0);
}

}  // namespace sallyport
