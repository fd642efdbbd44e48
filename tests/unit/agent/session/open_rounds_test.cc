#include "agent/session/open_rounds.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

using Calls = std::vector<std::string>;
constexpr absl::Duration kUntil = absl::Seconds(60);

TEST_CASE("a round is taken once, and its call is told of by nobody else", "[agent][session]") {
  OpenRounds rounds;
  rounds.Open("n1", "call-1", kUntil);
  CHECK_FALSE(rounds.Take("n2"));
  CHECK(rounds.Take("n1"));
  CHECK_FALSE(rounds.Take("n1"));
  CHECK(rounds.TakeGivenUp(absl::InfiniteDuration()).empty());
}

TEST_CASE("a round that nobody takes in time is given up, and its call told of once",
          "[agent][session]") {
  OpenRounds rounds;
  rounds.Open("n1", "call-1", kUntil);
  rounds.Open("n2", "", kUntil);
  rounds.Open("n3", "call-3", kUntil + absl::Seconds(1));
  CHECK(rounds.TakeGivenUp(kUntil - absl::Milliseconds(1)).empty());
  CHECK(rounds.TakeGivenUp(kUntil) == Calls{"call-1"});
  CHECK_FALSE(rounds.Take("n1"));
  CHECK_FALSE(rounds.Take("n2"));
  CHECK(rounds.Take("n3"));
  CHECK(rounds.TakeGivenUp(absl::InfiniteDuration()).empty());
}

TEST_CASE("a round whose client says that it will not come is given up at once",
          "[agent][session]") {
  OpenRounds rounds;
  rounds.Open("n1", "call-1", kUntil);
  rounds.GiveUp("n2");
  rounds.GiveUp("n1");
  CHECK(rounds.empty());
  CHECK(rounds.TakeGivenUp(absl::ZeroDuration()) == Calls{"call-1"});
}

TEST_CASE("beyond 256 rounds the oldest is given up", "[agent][session]") {
  OpenRounds rounds;
  for (int i = 0; i < 257; ++i) {
    const std::string number = std::to_string(i);
    rounds.Open("n" + number, "call-" + number, kUntil);
  }
  CHECK(rounds.size() == 256);
  CHECK_FALSE(rounds.Take("n0"));
  CHECK(rounds.Take("n1"));
  CHECK(rounds.TakeGivenUp(absl::ZeroDuration()) == Calls{"call-0"});
}

}  // namespace
}  // namespace sallyport::agent
