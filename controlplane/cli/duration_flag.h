#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/duration.pb.h"

namespace sallyport::controlplane {

// What a flag such as `--duration` says, to the second. kInvalidArgument, naming the flag, for what
// is no duration or less than a second: no use of the command, so it exits with 2.
absl::StatusOr<google::protobuf::Duration> ReadDurationFlag(std::string_view flag,
                                                            std::string_view text);

}  // namespace sallyport::controlplane
