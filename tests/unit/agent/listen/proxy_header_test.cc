#include "agent/listen/proxy_header.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport::agent {
namespace {

std::string Fixed(char command, char family) {
  std::string fixed("\r\n\r\n\0\r\nQUIT\n", 12);
  fixed += command;
  fixed += family;
  return fixed + std::string(2, '\0');
}

TEST_CASE("a PROXY header names the client", "[agent][listen]") {
  CHECK(ParseProxyHeader(Fixed('\x21', '\x11'),
                         std::string("\xc0\x00\x02\x07\x0a\x00\x00\x01\x00\x50\x01\xbb", 12))
            .value() == "192.0.2.7");
  const std::string v6 =
      std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\x01' + std::string(20, '\0');
  CHECK(ParseProxyHeader(Fixed('\x21', '\x21'), v6).value() == "2001:db8::1");
  CHECK(ParseProxyHeader(Fixed('\x20', '\x00'), "").value().empty());
}

TEST_CASE("what is no PROXY header of TCP over IP is refused", "[agent][listen]") {
  CHECK_FALSE(ParseProxyHeader("GET / HTTP/1.1\r\n", "").ok());
  CHECK_FALSE(ParseProxyHeader(Fixed('\x11', '\x11'), std::string(12, '\0')).ok());
  CHECK_FALSE(ParseProxyHeader(Fixed('\x21', '\x31'), std::string(216, '\0')).ok());
  CHECK_FALSE(ParseProxyHeader(Fixed('\x21', '\x11'), std::string(11, '\0')).ok());
}

TEST_CASE("a network holds its addresses and no other", "[agent][listen]") {
  const auto address = [](const char* text) { return *IpAddress::Parse(text); };
  const Network ten = Network::Parse("10.0.0.0/8").value();
  CHECK(ten.Contains(address("10.255.0.1")));
  CHECK(ten.Contains(address("::ffff:10.1.2.3")));
  CHECK_FALSE(ten.Contains(address("11.0.0.1")));
  CHECK_FALSE(ten.Contains(address("::1")));
  CHECK(Network::Parse("192.0.2.128/25").value().Contains(address("192.0.2.200")));
  CHECK_FALSE(Network::Parse("192.0.2.128/25").value().Contains(address("192.0.2.1")));
  CHECK(Network::Parse("127.0.0.1").value().Contains(address("127.0.0.1")));
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/x", "host", "10.0.0/8"})
    CHECK_FALSE(Network::Parse(bad).ok());
}

}  // namespace
}  // namespace sallyport::agent
