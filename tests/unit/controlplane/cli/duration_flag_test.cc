#include "controlplane/cli/duration_flag.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

TEST_CASE(
    "a duration on the command line is a second or more, and the flag is named where it is "
    "not",
    "[cli]") {
  CHECK(ReadDurationFlag("--duration", "10m")->seconds() == 600);
  CHECK(ReadDurationFlag("--duration", "1s")->seconds() == 1);
  for (const char* text : {"0s", "999ms", "-10m", "0", "soon", ""}) {
    INFO(text);
    const auto read = ReadDurationFlag("--for", text);
    CHECK(absl::IsInvalidArgument(read.status()));
    CHECK(read.status().message().find("--for") == 0);
  }
  CHECK(ReadDurationFlag("--for", "99999999h").status().message() ==
        "--for 99999999h: \"99999999h\" is too long: at most 36500d can be written");
}

}  // namespace
}  // namespace sallyport::controlplane
