#include <catch2/catch.hpp>
#include <deque>

#include "agent/call/served_session.h"

namespace sallyport::agent {
namespace {

struct FakeExchange final : Exchange {
  Task<absl::StatusOr<UpstreamMessage>> Next() override { co_return absl::UnknownError("none"); }
  void Cancel() override { is_cancelled = true; }
  bool is_cancelled = false;
};

struct Rig {
  explicit Rig(Era era) : connection(loop, "m1", ClientCapabilities{}, era) {}
  Loop loop;
  McpConnection connection;
};

TEST_CASE("an id is in flight once in the legacy era", "[agent][call]") {
  Rig rig(Era::kLegacy);
  OpenRequest first{.id = "7"};
  OpenRequest second{.id = "7"};
  CHECK(rig.connection.Begin(first));
  CHECK_FALSE(rig.connection.Begin(second));
  rig.connection.Finish(first);
  CHECK(rig.connection.Begin(second));
  rig.connection.Finish(second);
}

TEST_CASE("ids of the modern era say nothing to each other", "[agent][call]") {
  Rig rig(Era::kModern);
  std::deque<OpenRequest> requests;
  for (int i = 0; i < 128; ++i) {
    requests.push_back({.id = "7"});
    CHECK(rig.connection.Begin(requests.back()));
  }
  CHECK(rig.connection.mcp().in_flight() == 128);
  OpenRequest one_more{.id = "8"};
  CHECK_FALSE(rig.connection.Begin(one_more));
  rig.connection.Finish(requests.front());
  CHECK(rig.connection.mcp().in_flight() == 127);
  CHECK(rig.connection.Begin(one_more));
  rig.connection.Finish(one_more);
  for (std::size_t i = 1; i < requests.size(); ++i) rig.connection.Finish(requests[i]);
  CHECK(rig.connection.mcp().in_flight() == 0);
}

TEST_CASE("what is long waits for the client's stream only while it is read", "[agent][call]") {
  Rig rig(Era::kLegacy);
  const std::size_t bytes = (std::size_t{4} << 20) + 1;
  const auto say = [&] { return rig.connection.Queue({.bytes = std::string(bytes, ' ')}); };
  REQUIRE(say().has_value());
  CHECK_FALSE(rig.connection.TakeQueued().has_value());
  {
    const StreamReader reader(rig.connection.get_stream());
    CHECK_FALSE(say().has_value());
    CHECK(rig.connection.TakeQueued()->bytes.size() == bytes);
  }
  CHECK(say().has_value());
}

TEST_CASE("a request is cancelled where it is: at its server, or before a person",
          "[agent][call]") {
  Rig rig(Era::kLegacy);
  FakeExchange exchange;
  Signal waiting(rig.loop);
  OpenRequest at_server{.id = "1", .exchange = &exchange};
  OpenRequest held{.id = "2", .waiting = &waiting};
  rig.connection.Begin(at_server);
  rig.connection.Begin(held);
  CHECK_FALSE(rig.connection.CancelRequest("3"));
  CHECK(rig.connection.CancelRequest("1"));
  CHECK(exchange.is_cancelled);
  CHECK_FALSE(rig.connection.CancelRequest("2"));  // the server has not got it
  CHECK(waiting.is_set());
  CHECK(held.is_cancelled);
  rig.connection.Finish(at_server);
  rig.connection.Finish(held);
}

TEST_CASE("of what a client may not have ten are recorded, then one in ten seconds",
          "[agent][call]") {
  Rig rig(Era::kLegacy);
  absl::Duration now = absl::Hours(1);
  for (int i = 0; i < 10; ++i) CHECK(rig.connection.dropped().Note(now) == 0);
  for (int i = 0; i < 500; ++i) CHECK_FALSE(rig.connection.dropped().Note(now).has_value());
  now += absl::Seconds(10);
  // What was not recorded is counted in what is.
  CHECK(rig.connection.dropped().Note(now) == 500);
  CHECK_FALSE(rig.connection.dropped().Note(now).has_value());
  // Silence earns no more than ten.
  now += absl::Hours(9);
  CHECK(rig.connection.dropped().Note(now) == 1);
  for (int i = 1; i < 10; ++i) CHECK(rig.connection.dropped().Note(now) == 0);
  CHECK_FALSE(rig.connection.dropped().Note(now).has_value());
}

}  // namespace
}  // namespace sallyport::agent
