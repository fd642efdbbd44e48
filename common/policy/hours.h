#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport {

// A part of every week by a zone's wall clock, compiled. Where the clock is set forward, what falls
// into the hour that is left out is not there; where it is set back, the hour that comes twice
// counts twice.
class CompiledHours {
 public:
  // kInvalidArgument, naming the key, for what is no time of a day, no day or no zone of the IANA
  // database.
  static absl::StatusOr<CompiledHours> Compile(const types::v1::Hours& hours);

  bool Contains(absl::Time time) const;

 private:
  CompiledHours() = default;

  bool BeginsOn(absl::Weekday day) const;

  std::uint8_t days_ = 0;  // a bit for each absl::Weekday
  int from_minute_ = 0;
  int to_minute_ = 0;  // not after from_minute_: of the day after
  absl::TimeZone zone_;
};

}  // namespace sallyport
