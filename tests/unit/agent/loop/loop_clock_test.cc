#include "agent/loop/loop_clock.h"

#include <catch2/catch.hpp>
#include <vector>

#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "tests/fakes/fake_clock.h"

namespace sallyport::agent {
namespace {

TEST_CASE("loop_clock is the clock below it while the loop does not run", "[agent][loop]") {
  FakeClock below;
  Loop loop;
  const LoopClock clock(loop, below);
  const absl::Time began = clock.Now();
  const absl::Duration since_boot = clock.SinceBoot();
  below.Advance(absl::Seconds(2));
  CHECK(clock.Now() == began + absl::Seconds(2));
  CHECK(clock.SinceBoot() == since_boot + absl::Seconds(2));
  loop.Post([] {});
  loop.RunReady();
  below.Advance(absl::Seconds(3));
  CHECK(clock.Now() == began + absl::Seconds(5));
}

TEST_CASE("loop_clock stands still in what the loop runs, and no longer", "[agent][loop]") {
  FakeClock below;
  Loop loop;
  const LoopClock clock(loop, below);
  const absl::Time began = clock.Now();
  std::vector<absl::Duration> seen;
  const auto look = [&] { seen.push_back(clock.Now() - began); };
  loop.OnTurnEnd([&] { look(); });
  for (int i = 0; i < 2; ++i) {
    loop.Post([&] {
      look();
      below.Advance(absl::Seconds(1));
      look();
    });
  }
  loop.RunReady();
  CHECK(seen == std::vector<absl::Duration>{absl::ZeroDuration(), absl::ZeroDuration(),
                                            absl::Seconds(1), absl::Seconds(1), absl::Seconds(2)});
}

TEST_CASE("loop_clock goes on where a task goes on", "[agent][loop]") {
  FakeClock below;
  Loop loop;
  const LoopClock clock(loop, below);
  absl::Duration passed;
  const auto task = [](Loop& loop, const LoopClock& clock, FakeClock& below,
                       absl::Duration& passed) -> Task<void> {
    const absl::Duration before = clock.SinceBoot();
    below.Advance(absl::Seconds(7));
    co_await Sleep(loop, absl::ZeroDuration());
    passed = clock.SinceBoot() - before;
  };
  loop.Spawn(task(loop, clock, below, passed));
  while (passed == absl::ZeroDuration()) loop.RunReady();
  CHECK(passed == absl::Seconds(7));
}

}  // namespace
}  // namespace sallyport::agent
