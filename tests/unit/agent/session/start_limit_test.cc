#include "agent/session/start_limit.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

constexpr absl::Duration kAtOnce = absl::Milliseconds(100);

TEST_CASE("one failed start is no reason to wait, the next ones are, longer and longer",
          "[agent][session]") {
  StartLimit limit;
  absl::Duration now = absl::Hours(1);
  CHECK(limit.WaitAt(now) == absl::ZeroDuration());
  limit.Ended(now, kAtOnce);
  CHECK(limit.WaitAt(now) == absl::ZeroDuration());
  for (absl::Duration most :
       {absl::Seconds(1), absl::Seconds(2), absl::Seconds(4), absl::Seconds(8), absl::Seconds(16),
        absl::Seconds(30), absl::Seconds(30)}) {
    limit.Ended(now, kAtOnce);
    CHECK(limit.WaitAt(now) >= most / 2);
    CHECK(limit.WaitAt(now) <= most);
    now += most;
    CHECK(limit.WaitAt(now) == absl::ZeroDuration());
  }
  CHECK(limit.failures() == 8);
}

TEST_CASE("no wait is longer than the longest", "[agent][session]") {
  StartLimit limit(absl::Seconds(1));
  absl::Duration now = absl::Hours(1);
  for (int i = 0; i < 6; ++i) {
    limit.Ended(now, kAtOnce);
    CHECK(limit.WaitAt(now) <= absl::Seconds(1));
    now += absl::Seconds(1);
  }
  limit.Ended(now, absl::Seconds(10));
  for (int i = 0; i < 6; ++i) {
    limit.Ended(now, kAtOnce);
    CHECK(limit.WaitAt(now) <= absl::Seconds(1));
    now += absl::Seconds(1);
  }
}

TEST_CASE("starts that fail together are one failure", "[agent][session]") {
  StartLimit limit;
  const absl::Duration now = absl::Hours(1);
  for (int i = 0; i < 20; ++i) limit.Ended(now, kAtOnce);
  CHECK(limit.failures() == 2);
  CHECK(limit.WaitAt(now) <= absl::Seconds(1));
}

TEST_CASE("a server that has lived a while may be started again at once", "[agent][session]") {
  StartLimit limit;
  const absl::Duration now = absl::Hours(1);
  limit.Ended(now, kAtOnce);
  limit.Ended(now, kAtOnce);
  REQUIRE(limit.WaitAt(now) > absl::ZeroDuration());
  limit.Ended(now, absl::Seconds(10));
  CHECK(limit.WaitAt(now) == absl::ZeroDuration());
  limit.Ended(now, kAtOnce);
  CHECK(limit.WaitAt(now) == absl::ZeroDuration());
}

}  // namespace
}  // namespace sallyport::agent
