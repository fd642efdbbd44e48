#include "agent/call/server_failure.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/upstream/upstream_error.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

std::string Told(const absl::Status& failure, std::string_view method = {},
                 std::string_view consequence = {}) {
  return std::string(ToStd(ServerFailure(failure, method, consequence).message()));
}

TEST_CASE("what a server did wrong is told once", "[agent][call]") {
  CHECK(Told(UncleanMessage("a member name is repeated"), "initialize") ==
        "upstream_invalid: the server's answer to initialize was not one clean message: a member "
        "name is repeated");
  CHECK(Told(UncleanMessage("not one JSON object"), {}, "; it may have run") ==
        "upstream_invalid: the server's answer was not one clean message: not one JSON object; it "
        "may have run");
  CHECK(Told(ConnectionError(
            absl::InvalidArgumentError("the server's answer is not clean HTTP: a folded field"))) ==
        "upstream_invalid: the server's answer is not clean HTTP: a folded field");
  CHECK(Told(UpstreamInvalid("the server asks for input without end"), "initialize") ==
        "upstream_invalid: the server asks for input without end");
  CHECK(Told(HttpStatusError(429)) == "upstream_invalid: the server answered HTTP 429");
  CHECK(Told(HttpStatusError(503)) == "upstream_lost: the server answered HTTP 503");
  CHECK(Told(UpstreamLost("end of file"), "initialize") ==
        "upstream_lost: the server was lost before its answer to initialize");
}

TEST_CASE("a server that said what it must not was not lost", "[agent][call]") {
  const absl::Status failure =
      Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, "the server's acknowledgement is not one");
  CHECK(Told(failure) == "upstream_invalid: the server's acknowledgement is not one");
  CHECK(ReasonOf(ServerFailure(failure)) == types::v1::DENIAL_REASON_UPSTREAM_INVALID);
}

}  // namespace
}  // namespace sallyport::agent
