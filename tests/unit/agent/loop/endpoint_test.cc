#include "agent/loop/endpoint.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/loop/resolve.h"

namespace sallyport::agent {
namespace {

TEST_CASE("addresses are read and printed", "[agent][loop]") {
  for (const char* text : {"192.0.2.7", "0.0.0.0", "::", "::1", "2001:db8::7"}) {
    REQUIRE(IpAddress::Parse(text));
    CHECK(IpAddress::Parse(text)->Printed() == text);
  }
  CHECK(IpAddress::Parse("::ffff:192.0.2.7")->Printed() == "192.0.2.7");
  CHECK(IpAddress::Parse("::ffff:192.0.2.7")->is_v4());
  for (const char* text :
       {"", "192.0.2", "192.0.2.256", "localhost", "[::1]", "1.2.3.4:80", "::1%lo"})
    CHECK_FALSE(IpAddress::Parse(text));
}

TEST_CASE("loopback and unspecified addresses are told apart from others", "[agent][loop]") {
  for (const char* text : {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"})
    CHECK(IpAddress::Parse(text)->is_loopback());
  for (const char* text : {"128.0.0.1", "0.0.0.0", "::", "::2", "fe80::1"})
    CHECK_FALSE(IpAddress::Parse(text)->is_loopback());
  for (const char* text : {"0.0.0.0", "::"}) CHECK(IpAddress::Parse(text)->is_unspecified());
  for (const char* text : {"0.0.0.1", "::1", "127.0.0.1"})
    CHECK_FALSE(IpAddress::Parse(text)->is_unspecified());
}

TEST_CASE("an endpoint is two numbers", "[agent][loop]") {
  CHECK(Endpoint::Numeric("127.0.0.1", "8443")->Printed() == "127.0.0.1:8443");
  CHECK(Endpoint::Numeric("::1", "0")->Printed() == "[::1]:0");
  CHECK(Endpoint::Numeric("localhost", "80").status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(Endpoint::Numeric("127.0.0.1", "http").ok());
}

Task<void> Ask(Loop* loop, std::string host, absl::StatusOr<std::vector<Endpoint>>* found) {
  *found = co_await Resolve(*loop, std::move(host), "80");
  loop->Stop();
}

TEST_CASE("a name is looked up off the loop's thread, a number not at all", "[agent][loop]") {
  Loop loop;
  absl::StatusOr<std::vector<Endpoint>> found;
  loop.Spawn(Ask(&loop, "localhost", &found));
  loop.Run();
  REQUIRE(found.ok());
  CHECK(found->front().address().is_loopback());
  loop.Spawn(Ask(&loop, "2001:db8::7", &found));
  loop.RunReady();
  REQUIRE(found.ok());
  CHECK(found->front().Printed() == "[2001:db8::7]:80");
}

TEST_CASE("a name that nobody knows is an error", "[agent][loop]") {
  Loop loop;
  absl::StatusOr<std::vector<Endpoint>> found;
  loop.Spawn(Ask(&loop, "no such name", &found));
  loop.Run();
  CHECK(found.status().code() == absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace sallyport::agent
