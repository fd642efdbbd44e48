#include "controlplane/cli/duration_flag.h"

#include "absl/strings/str_cat.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport::controlplane {

absl::StatusOr<google::protobuf::Duration> ReadDurationFlag(std::string_view flag,
                                                            std::string_view text) {
  absl::StatusOr<absl::Duration> duration = ParseDuration(text);
  if (duration.ok() && *duration < absl::Seconds(1)) {
    duration = absl::InvalidArgumentError("expected one second or more");
  }
  if (!duration.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(flag), " ", ToAbsl(text), ": ", duration.status().message()));
  }
  google::protobuf::Duration read;
  read.set_seconds(absl::ToInt64Seconds(*duration));
  return read;
}

}  // namespace sallyport::controlplane
