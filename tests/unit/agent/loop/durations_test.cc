#include "agent/loop/durations.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

using namespace std::chrono_literals;

std::size_t BucketOf(std::chrono::nanoseconds took) {
  Durations durations;
  durations.Add(took);
  for (std::size_t i = 0; i < durations.counts().size(); ++i) {
    if (durations.counts()[i] > 0) return i;
  }
  return durations.counts().size();
}

TEST_CASE("a duration is counted in the first bucket whose bound it does not pass",
          "[agent][loop]") {
  for (std::chrono::nanoseconds took = 100ns; took < 20s; took += took / 7) {
    const std::size_t bucket = BucketOf(took);
    const double seconds = std::chrono::duration<double>(took).count();
    CAPTURE(seconds, bucket);
    CHECK((bucket == Durations::kBounds || seconds <= Durations::BoundSeconds(bucket)));
    CHECK((bucket == 0 || seconds > Durations::BoundSeconds(bucket - 1)));
  }
}

TEST_CASE("nothing and less than nothing count as the shortest, an hour as the longest",
          "[agent][loop]") {
  CHECK(BucketOf(0ns) == 0);
  CHECK(BucketOf(-5ms) == 0);
  CHECK(BucketOf(1h) == Durations::kBounds);
}

TEST_CASE("durations are summed", "[agent][loop]") {
  Durations durations;
  durations.Add(250ms);
  durations.Add(500ms);
  CHECK(durations.sum_seconds() == Approx(0.75));
}

}  // namespace
}  // namespace sallyport::agent
