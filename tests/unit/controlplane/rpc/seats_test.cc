#include "controlplane/rpc/seats.h"

#include <catch2/catch.hpp>
#include <set>

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

TEST_CASE("an address keeps its seat, and each has its own while there are enough",
          "[rpc][seats]") {
  Seats seats(3, absl::Minutes(30));
  std::set<std::size_t> taken;
  for (const char* address : {"192.0.2.1", "192.0.2.2", "2001:db8::1"}) {
    const std::size_t seat = seats.Take(address, kNow);
    CHECK(seats.AddressAt(seat, kNow) == address);
    CHECK(seats.Take(address, kNow + absl::Minutes(1)) == seat);
    taken.insert(seat);
  }
  CHECK(taken.size() == 3);
}

TEST_CASE("a seat that is shared names all it may be, and of a crowd nobody", "[rpc][seats]") {
  Seats seats(1, absl::Minutes(30));
  seats.Take("192.0.2.1", kNow);
  seats.Take("192.0.2.2", kNow);
  CHECK(seats.AddressAt(0, kNow) == "192.0.2.1 or 192.0.2.2");
  for (int i = 3; i < 6; ++i) seats.Take("192.0.2." + std::to_string(i), kNow);
  CHECK(seats.AddressAt(0, kNow).empty());
}

TEST_CASE("an address is forgotten once none of its connections can be there", "[rpc][seats]") {
  Seats seats(1, absl::Minutes(30));
  seats.Take("192.0.2.1", kNow);
  seats.Take("192.0.2.2", kNow + absl::Minutes(20));
  CHECK(seats.AddressAt(0, kNow + absl::Minutes(31)) == "192.0.2.2");
  seats.Take("192.0.2.1", kNow + absl::Minutes(40));
  CHECK(seats.AddressAt(0, kNow + absl::Minutes(51)) == "192.0.2.1");
  CHECK(seats.AddressAt(0, kNow + absl::Hours(2)).empty());
}

}  // namespace
}  // namespace sallyport::controlplane
