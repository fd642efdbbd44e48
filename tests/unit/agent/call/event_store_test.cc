#include "agent/call/event_store.h"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/mcp/message.h"

namespace sallyport::agent {

// Only the recorder can say that a message is recorded; these reach no client.
struct RecordPass {};

namespace {

RecordedMessage Message(int n, std::size_t padding = 0) {
  return RecordedMessage(RecordPass{}, UpstreamMessage{.bytes = "{\"n\":" + std::to_string(n) +
                                                                "}" + std::string(padding, ' ')});
}

int NumberOf(const RecordedMessage& message) {
  const std::string bytes(message.bytes());
  return std::stoi(bytes.substr(bytes.find("\"n\":") + 4));
}

// What a reader gets without waiting.
std::vector<int> ReadAll(StreamReader& reader) {
  std::vector<int> numbers;
  while (const RecordedMessage* message = reader.Next()) numbers.push_back(NumberOf(*message));
  return numbers;
}

struct Stage {
  explicit Stage(EventLimits limits = {}) : store(loop, limits) {}
  // A stream that has carried `count` messages, numbered from `first`.
  std::uint64_t Stream(int count, int first = 1) {
    const std::uint64_t number = store.Reserve();
    for (int i = 0; i < count; ++i) store.Append(store.Log(number), Message(first + i));
    return number;
  }
  absl::StatusCode Find(std::uint64_t number, std::uint64_t n) {
    return store.FindAfter(number, n).status().code();
  }
  Loop loop;
  EventStore store;
};

TEST_CASE("a reader gets what came after the event it names, of that stream alone",
          "[agent][stream]") {
  Stage stage;
  const std::uint64_t one = stage.Stream(3, 1);
  const std::uint64_t two = stage.Stream(2, 10);
  StreamReader reader(**stage.store.FindAfter(one, 1), 1);
  CHECK(ReadAll(reader) == std::vector{2, 3});
  stage.store.Append(stage.store.Log(two), Message(12));
  stage.store.Append(stage.store.Log(one), Message(4));
  CHECK(ReadAll(reader) == std::vector{4});
  CHECK(reader.n() == 4);
}

TEST_CASE("a place that no client was given is no place", "[agent][stream]") {
  Stage stage;
  const std::uint64_t one = stage.Stream(3);
  CHECK(stage.Find(one, 3) == absl::StatusCode::kOk);
  CHECK(stage.Find(one, 4) == absl::StatusCode::kInvalidArgument);
  CHECK(stage.Find(one + 1, 0) == absl::StatusCode::kInvalidArgument);
  CHECK(stage.Find(0, 0) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a request's stream can be taken up before it has carried a message", "[agent][stream]") {
  Stage stage;
  const std::uint64_t number = stage.store.Reserve();
  REQUIRE(stage.Find(number, 0) == absl::StatusCode::kOk);
  stage.store.Release(number);
  CHECK(stage.store.Find(number)->is_closed());
}

TEST_CASE("a request that never became a stream leaves nothing", "[agent][stream]") {
  Stage stage;
  const std::uint64_t number = stage.store.Reserve();
  stage.store.Release(number);
  CHECK(stage.store.Find(number) == nullptr);
  CHECK(stage.Find(number, 0) == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("a stream keeps so many messages and bytes, and its newest message always",
          "[agent][stream]") {
  Stage stage({.stream_events = 3, .stream_bytes = 100});
  SECTION("messages") {
    const std::uint64_t number = stage.Stream(5);
    CHECK(stage.Find(number, 1) == absl::StatusCode::kResourceExhausted);
    REQUIRE(stage.Find(number, 2) == absl::StatusCode::kOk);
    StreamReader reader(stage.store.Log(number), 2);
    CHECK(ReadAll(reader) == std::vector{3, 4, 5});
  }
  SECTION("bytes") {
    const std::uint64_t number = stage.Stream(2);
    stage.store.Append(stage.store.Log(number), Message(3, 5000));
    CHECK(stage.Find(number, 0) == absl::StatusCode::kOk);
    stage.store.Append(stage.store.Log(number), Message(4));
    CHECK(stage.Find(number, 2) == absl::StatusCode::kResourceExhausted);
    CHECK(stage.Find(number, 3) == absl::StatusCode::kOk);
  }
}

TEST_CASE("what a connection is still to be given is not dropped under it", "[agent][stream]") {
  Stage stage({.stream_events = 3});
  const std::uint64_t number = stage.Stream(1);
  StreamReader reader(stage.store.Log(number), 0);
  for (int n = 2; n <= 10; ++n) stage.store.Append(stage.store.Log(number), Message(n));
  CHECK(ReadAll(reader) == std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("over the session's limits the oldest stream is forgotten, complete ones before others",
          "[agent][stream]") {
  Stage stage({.events = 6});
  const std::uint64_t growing = stage.Stream(2);
  const std::uint64_t complete = stage.Stream(2);
  stage.store.Release(complete);
  const std::uint64_t newer = stage.Stream(2);
  CHECK(stage.store.events() == 6);
  stage.store.Append(stage.store.Log(newer), Message(3));
  CHECK(stage.Find(complete, 0) == absl::StatusCode::kResourceExhausted);
  CHECK(stage.Find(growing, 0) == absl::StatusCode::kOk);
  stage.store.Append(stage.store.Log(newer), Message(4));
  stage.store.Append(stage.store.Log(newer), Message(5));
  CHECK(stage.Find(growing, 0) == absl::StatusCode::kResourceExhausted);
  CHECK(stage.Find(growing, 2) == absl::StatusCode::kOk);
  CHECK(stage.Find(newer, 0) == absl::StatusCode::kOk);
  CHECK(stage.store.events() == 5);
}

TEST_CASE("all streams of a session together keep so many bytes", "[agent][stream]") {
  Stage stage({.bytes = 10000});
  std::vector<std::uint64_t> streams;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(stage.store.Reserve());
    stage.store.Append(stage.store.Log(streams.back()), Message(1, 3000));
    CHECK(stage.store.bytes() < 10000 + 4000);
  }
  CHECK(stage.Find(streams.front(), 0) == absl::StatusCode::kResourceExhausted);
  CHECK(stage.Find(streams.back(), 0) == absl::StatusCode::kOk);
}

TEST_CASE("streams without messages are not kept without end", "[agent][stream]") {
  Stage stage({.streams = 4});
  std::vector<std::uint64_t> streams;
  for (int i = 0; i < 10; ++i) {
    streams.push_back(stage.store.Reserve());
    stage.store.Log(streams.back());
    stage.store.Release(streams.back());
  }
  int kept = 0;
  for (const std::uint64_t number : streams) kept += stage.store.Find(number) != nullptr ? 1 : 0;
  CHECK(kept == 4);
  CHECK(stage.store.Find(streams.back()) != nullptr);
}

TEST_CASE("a client that comes back displaces its old connection", "[agent][stream]") {
  Stage stage;
  StreamLog& log = stage.store.Log(stage.Stream(2));
  int told = 0;
  log.set_watcher([&] { ++told; });
  std::optional<StreamReader> old(std::in_place, log, 0);
  CHECK(old->Next() != nullptr);
  {
    StreamReader again(log, 1);
    CHECK(old->is_displaced());
    CHECK(old->Next() == nullptr);
    old.reset();
    CHECK(log.has_reader());
    CHECK(ReadAll(again) == std::vector{2});
  }
  CHECK_FALSE(log.has_reader());
  CHECK(log.had_reader());
  CHECK(told == 3);
}

TEST_CASE("a connection that names no place goes on with what no other was given",
          "[agent][stream]") {
  Stage stage;
  StreamLog& log = stage.store.Log(0);
  stage.store.Append(log, Message(1));
  stage.store.Append(log, Message(2));
  {
    StreamReader first(log);
    CHECK(NumberOf(*first.Next()) == 1);
  }
  StreamReader second(log);
  CHECK(ReadAll(second) == std::vector{2});
}

TEST_CASE("a long message is kept for a while, and as long as its reader is still to take it",
          "[agent][stream]") {
  Stage stage({.stream_bytes = 1000});
  const auto room = std::make_shared<int>();
  const std::uint64_t number = stage.Stream(1);
  StreamLog& log = *stage.store.Find(number);
  stage.store.Append(
      log, RecordedMessage(RecordPass{},
                           UpstreamMessage{.bytes = std::string(1001, ' '), .room = room}));
  {
    StreamReader slow(log, 1);
    stage.store.Sweep(absl::Seconds(100));
    stage.store.Sweep(absl::Seconds(130));
    CHECK(slow.Next() != nullptr);
  }
  stage.store.Append(log, Message(3, 1000));
  stage.store.Sweep(absl::Seconds(200));
  stage.store.Sweep(absl::Seconds(219));
  CHECK(stage.Find(number, 2) == absl::StatusCode::kOk);
  stage.store.Sweep(absl::Seconds(220));
  CHECK(stage.Find(number, 2) == absl::StatusCode::kResourceExhausted);
  CHECK(stage.Find(number, 3) == absl::StatusCode::kOk);
  CHECK(stage.store.bytes() == 0);
  CHECK(room.use_count() == 1);
  stage.store.Append(log, Message(4));
  StreamReader reader(log, 3);
  CHECK(ReadAll(reader) == std::vector{4});
}

TEST_CASE("a stream is forgotten a minute after a client has got all of it, and not before it has",
          "[agent][stream]") {
  Stage stage;
  const std::uint64_t delivered = stage.Stream(1);
  const std::uint64_t waiting = stage.Stream(1);
  stage.store.Release(delivered);
  stage.store.Release(waiting);
  stage.store.Find(delivered)->set_delivered();
  stage.store.Sweep(absl::Seconds(100));
  stage.store.Sweep(absl::Seconds(159));
  CHECK(stage.Find(delivered, 0) == absl::StatusCode::kOk);
  {
    const Held<StreamLog> held(*stage.store.Find(delivered));
    stage.store.Sweep(absl::Seconds(160));
    CHECK(stage.Find(delivered, 0) == absl::StatusCode::kOk);
  }
  stage.store.Sweep(absl::Seconds(161));
  CHECK(stage.Find(delivered, 0) == absl::StatusCode::kResourceExhausted);
  stage.store.Sweep(absl::Hours(10));
  CHECK(stage.Find(waiting, 0) == absl::StatusCode::kOk);
}

Task<void> WaitForRoom(StreamLog& log, bool& has_room) {
  co_await log.WaitForRoom();
  has_room = true;
}

TEST_CASE("who writes a stream waits for a reader that lags, and for no other", "[agent][stream]") {
  Stage stage;
  const std::uint64_t number = stage.Stream(80);
  StreamLog& log = stage.store.Log(number);
  const auto turn = [&] { stage.loop.RunReady(); };
  bool has_room = false;
  std::optional<StreamReader> reader;
  SECTION("nobody reads") {
    stage.loop.Spawn(WaitForRoom(log, has_room));
    turn();
  }
  SECTION("the reader catches up") {
    reader.emplace(log, 0);
    stage.loop.Spawn(WaitForRoom(log, has_room));
    turn();
    CHECK_FALSE(has_room);
    ReadAll(*reader);
    turn();
  }
  SECTION("the reader goes") {
    reader.emplace(log, 0);
    stage.loop.Spawn(WaitForRoom(log, has_room));
    turn();
    CHECK_FALSE(has_room);
    reader.reset();
    turn();
  }
  CHECK(has_room);
}

}  // namespace
}  // namespace sallyport::agent
