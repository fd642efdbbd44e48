#include "agent/session/body_room.h"

#include <catch2/catch.hpp>
#include <deque>
#include <optional>

namespace sallyport::agent {
namespace {

using Place = BodyRoom::Place;
constexpr std::size_t kMiB = std::size_t{1} << 20;

TEST_CASE("one principal has a share of the room, and gets it back", "[agent][session]") {
  BodyRoom room;
  std::optional<Place> first(std::in_place, room, "a", 40 * kMiB);
  CHECK(first->is_taken());
  CHECK(Place(room, "a", 24 * kMiB).is_taken());
  CHECK_FALSE(Place(room, "a", 24 * kMiB + 1).is_taken());
  CHECK(Place(room, "b", 60 * kMiB).is_taken());
  first.reset();
  CHECK(Place(room, "a", 64 * kMiB).is_taken());
}

TEST_CASE("all principals together have no more than there is", "[agent][session]") {
  BodyRoom room;
  std::deque<Place> places;
  for (const char* principal : {"a", "b", "c", "d"}) {
    places.emplace_back(room, principal, 64 * kMiB);
    CHECK(places.back().is_taken());
  }
  CHECK_FALSE(Place(room, "e", kMiB).is_taken());
  places.pop_back();
  CHECK(Place(room, "e", kMiB).is_taken());
}

TEST_CASE("the longest request fits alone, and short ones always", "[agent][session]") {
  BodyRoom room;
  const Place alone(room, "a", 300 * kMiB);
  CHECK(alone.is_taken());
  CHECK_FALSE(Place(room, "a", kMiB).is_taken());
  CHECK_FALSE(Place(room, "b", kMiB).is_taken());
  for (int i = 0; i < 3; ++i) CHECK(Place(room, "a", BodyRoom::kLong).is_taken());
}

TEST_CASE("what turns out to be shorter gives room back", "[agent][session]") {
  BodyRoom room;
  Place place(room, "a", 64 * kMiB);
  place.Shrink(65 * kMiB);
  CHECK_FALSE(Place(room, "a", kMiB).is_taken());
  place.Shrink(kMiB);
  CHECK(Place(room, "a", 63 * kMiB).is_taken());
  CHECK_FALSE(Place(room, "a", 63 * kMiB + 1).is_taken());
}

}  // namespace
}  // namespace sallyport::agent
