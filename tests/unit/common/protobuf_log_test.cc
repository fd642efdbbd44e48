#include "common/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "sallyport/types/v1/grant.pb.h"
#include "tests/fakes/captured_stderr.h"

namespace sallyport {
namespace {

// What is written to stderr when peers send text that is not UTF-8, so often.
std::vector<std::string> Lines(void (*log)(), int times) {
  CapturedStderr captured;
  google::protobuf::LogHandler* const before = google::protobuf::SetLogHandler(nullptr);
  log();
  for (int i = 0; i < times; ++i) {
    types::v1::Grant grant;
    CHECK_FALSE(grant.ParseFromString("\x0a\x01\xff"));
  }
  google::protobuf::SetLogHandler(before);
  return absl::StrSplit(captured.Text(), '\n', absl::SkipEmpty());
}

TEST_CASE("what protobuf says goes into the log, few lines of many", "[common][log]") {
  const std::vector<std::string> lines = Lines(LogProtobufAsJson, 1000);
  CHECK(lines.size() == 10);
  for (const std::string& line : lines) {
    CHECK(absl::StartsWith(line, R"({"event":"protobuf",)"));
    CHECK(absl::StrContains(line, R"("level":"warning","message":"String field)"));
    CHECK(absl::EndsWith(line, R"("unlogged":0})"));
  }
}

TEST_CASE("a client says nothing of what protobuf says", "[common][log]") {
  CHECK(Lines(SilenceProtobuf, 10).empty());
}

}  // namespace
}  // namespace sallyport
