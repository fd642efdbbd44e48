#include "agent/session/call_counts.h"

#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace sallyport::agent {
namespace {

constexpr CallLimit kThree{.calls = 3, .within = absl::Seconds(10)};
constexpr std::array kLimits = {kThree};

TEST_CASE("no stretch of time holds more calls than it may", "[agent][session]") {
  CallCounts counts;
  for (int i = 0; i < 3; ++i) {
    CHECK(counts.FreeAt(kThree, absl::Seconds(i)) <= absl::Seconds(i));
    counts.Begin(absl::Seconds(i), kLimits);
    counts.End();
  }
  CHECK(counts.FreeAt(kThree, absl::Seconds(9)) == absl::Seconds(10));
  CHECK(counts.FreeAt(kThree, absl::Seconds(10)) <= absl::Seconds(10));
  counts.Begin(absl::Seconds(10), kLimits);
  CHECK(counts.FreeAt(kThree, absl::Seconds(10)) == absl::Seconds(11));
}

TEST_CASE("a call that did not go out has not been one", "[agent][session]") {
  CallCounts counts;
  for (int i = 0; i < 3; ++i) counts.Begin(absl::Seconds(i), kLimits);
  counts.TakeBack(absl::Seconds(1));
  CHECK(counts.FreeAt(kThree, absl::Seconds(3)) <= absl::Seconds(3));
  counts.Begin(absl::Seconds(3), kLimits);
  CHECK(counts.FreeAt(kThree, absl::Seconds(3)) == absl::Seconds(10));
}

TEST_CASE("a call that goes on is at work, and no further call", "[agent][session]") {
  CallCounts counts;
  counts.Begin(absl::Seconds(1), kLimits);
  counts.End();
  counts.GoOn();
  CHECK(counts.FreeAt({.concurrent = 1}, absl::Seconds(2)) == absl::InfiniteDuration());
  CHECK(counts.begun().size() == 1);
  counts.End();
  CHECK(counts.FreeAt({.concurrent = 1}, absl::Seconds(2)) <= absl::Seconds(2));
}

TEST_CASE("calls under narrower limits, or under none, make nothing forgotten",
          "[agent][session]") {
  constexpr std::array kNarrow = {CallLimit{.calls = 1, .within = absl::Seconds(1)}};
  CallCounts counts;
  counts.Begin(absl::Seconds(0), kLimits);
  counts.Begin(absl::Seconds(1), kNarrow);
  counts.Begin(absl::Seconds(2), {});
  CHECK(counts.FreeAt(kThree, absl::Seconds(2)) == absl::Seconds(10));
}

TEST_CASE("calls at a time are those without an answer", "[agent][session]") {
  constexpr CallLimit kTwo{.concurrent = 2};
  CallCounts counts;
  counts.Begin(absl::Seconds(1), {});
  CHECK(counts.FreeAt(kTwo, absl::Seconds(1)) <= absl::Seconds(1));
  counts.Begin(absl::Seconds(1), {});
  CHECK(counts.FreeAt(kTwo, absl::Seconds(99)) == absl::InfiniteDuration());
  counts.End();
  CHECK(counts.FreeAt(kTwo, absl::Seconds(2)) <= absl::Seconds(2));
  CHECK_FALSE(counts.IsForgotten(absl::Hours(99), absl::Seconds(1)));
  counts.End();
  CHECK(counts.IsForgotten(absl::Seconds(2), absl::Hours(24)));
}

TEST_CASE("a call that nobody waits for counts until it cannot be at work any more",
          "[agent][session]") {
  constexpr CallLimit kTwo{.concurrent = 2};
  const auto at = [](int seconds) { return absl::Seconds(seconds); };
  CallCounts counts;
  counts.Begin(at(1), {});
  counts.Begin(at(1), {});
  counts.Abandon(at(2), at(12));
  // The other one is not answered, so this one's time decides.
  CHECK(counts.FreeAt(kTwo, at(3)) == at(12));
  counts.Abandon(at(4), at(14));
  CHECK(counts.FreeAt(kTwo, at(5)) == at(12));
  CHECK(counts.FreeAt({.concurrent = 1}, at(5)) == at(14));
  CHECK(counts.FreeAt({.concurrent = 3}, at(5)) <= at(5));
  CHECK_FALSE(counts.IsForgotten(at(13), at(0)));
  CHECK(counts.FreeAt(kTwo, at(12)) <= at(12));
  counts.Begin(at(12), {});
  CHECK(counts.FreeAt(kTwo, at(12)) == at(14));
  counts.Begin(at(14), {});
  CHECK(counts.FreeAt(kTwo, at(99)) == absl::InfiniteDuration());
  counts.End();
  counts.End();
  CHECK(counts.FreeAt(kTwo, at(14)) <= at(14));
  CHECK(counts.IsForgotten(at(14), at(0)));
}

TEST_CASE("random calls never exceed their limits, counted anew", "[agent][session]") {
  std::mt19937 random(7);
  const std::vector<CallLimit> limits = {{.calls = 5, .within = absl::Seconds(10)},
                                         {.calls = 12, .within = absl::Seconds(60)}};
  CallCounts counts;
  std::vector<absl::Duration> went;
  absl::Duration now = absl::ZeroDuration();
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    now += absl::Milliseconds(random() % 4000);
    bool may = true;
    for (const CallLimit& limit : limits) may = may && counts.FreeAt(limit, now) <= now;
    bool should = true;
    for (const CallLimit& limit : limits) {
      std::uint64_t inside = 0;
      for (auto at = went.rbegin(); at != went.rend() && *at + limit.within > now; ++at) ++inside;
      should = should && inside < limit.calls;
    }
    REQUIRE(may == should);
    if (!may) {
      ++refused;
      continue;
    }
    counts.Begin(now, limits);
    counts.End();
    went.push_back(now);
  }
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace sallyport::agent
