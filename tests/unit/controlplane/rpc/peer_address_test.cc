#include <catch2/catch.hpp>

#include "controlplane/rpc/identify_caller.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE("a peer's name gives its IP address without the port", "[rpc][identify_caller]") {
  CHECK(AddressOfPeer("ipv4:192.0.2.7:50123") == "192.0.2.7");
  CHECK(AddressOfPeer("ipv6:%5B2001:db8::1%5D:443") == "2001:db8::1");
  CHECK(AddressOfPeer("ipv6:[::1]:443") == "::1");
  CHECK(AddressOfPeer("ipv6:%5B::ffff:192.0.2.7%5D:443") == "192.0.2.7");
  CHECK(AddressOfPeer("unix:/run/admin.sock").empty());
  CHECK(AddressOfPeer("").empty());
}

}  // namespace
}  // namespace sallyport::controlplane
