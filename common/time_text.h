#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

// Times and durations as people write them, in configuration files, documents and our JSON.
namespace sallyport {

inline constexpr absl::Duration kLongestDuration = absl::Hours(24 * 365 * 100);

// `15m`, `1h30m`, `90d`, `500ms`: units d h m s ms, each at most once and in that order, whole
// numbers, no sign. kOutOfRange above kLongestDuration.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);
// The form that ParseDuration takes; `0s` for none, a `-` before a negative one. What is below a
// millisecond is cut off.
std::string DurationText(absl::Duration duration);

// RFC 3339 with an offset or `Z`.
absl::StatusOr<absl::Time> ParseTime(std::string_view text);
// RFC 3339 in UTC with `Z`; milliseconds only where there are any.
std::string TimeText(absl::Time time);

}  // namespace sallyport
