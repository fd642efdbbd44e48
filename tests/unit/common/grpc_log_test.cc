#include "common/grpc_log.h"

#include <grpc/support/log.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/captured_stderr.h"

namespace sallyport {
namespace {

// What is written to stderr when so many handshakes fail.
std::vector<std::string> Lines(void (*log)(), int times) {
  CapturedStderr captured;
  gpr_log_verbosity_init();
  log();
  for (int i = 0; i < times; ++i)
    gpr_log("some/handshaker.cc", 7, GPR_LOG_SEVERITY_ERROR, "failed");
  gpr_set_log_function(nullptr);
  return absl::StrSplit(captured.Text(), '\n', absl::SkipEmpty());
}

TEST_CASE("what gRPC says goes into the log, few lines of many", "[common][log]") {
  const std::vector<std::string> lines = Lines(LogGrpcAsJson, 1000);
  CHECK(lines.size() == 10);
  for (const std::string& line : lines) {
    CHECK(absl::StartsWith(line, R"({"event":"grpc",)"));
    CHECK(absl::EndsWith(line, R"("level":"warning","file":"handshaker.cc","line":7,)"
                               R"("message":"failed","unlogged":0})"));
  }
}

TEST_CASE("all that gRPC says goes into the log of who asks for it", "[common][log]") {
  setenv("GRPC_VERBOSITY", "error", 1);
  CHECK(Lines(LogGrpcAsJson, 30).size() == 30);
  unsetenv("GRPC_VERBOSITY");
}

TEST_CASE("a client says nothing of what gRPC says", "[common][log]") {
  CHECK(Lines(SilenceGrpc, 10).empty());
}

}  // namespace
}  // namespace sallyport
