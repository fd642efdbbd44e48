#include "agent/http/sse.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace sallyport::agent {
namespace {

std::vector<SseEvent> Read(std::string_view bytes, std::size_t step) {
  SseReader reader(1 << 16);
  std::vector<SseEvent> events;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = bytes.substr(at, step);
    SseEvent event;
    for (;;) {
      const auto more = reader.Next(piece, event);
      REQUIRE(more.ok());
      if (!*more) break;
      events.push_back(event);
    }
    CHECK(piece.empty());
  }
  return events;
}

TEST_CASE("an event stream is read, however it is cut and whatever ends its lines",
          "[agent][http]") {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string stream = "\xef\xbb\xbf: hello" + end + "id: 1" + end + "event: message" +
                               end + "data: {\"a\":" + end + "data:1}" + end + "retry: 500" + end +
                               end + ":ping" + end + end + "data" + end + end + "unknown: x" + end +
                               "data:  two" + end + end + "data: lost";
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{5}, stream.size()}) {
      const auto events = Read(stream, step);
      REQUIRE(events.size() == 2);
      CHECK(events[0].data == "{\"a\":\n1}");
      CHECK(events[0].event == "message");
      CHECK(events[0].id == "1");
      CHECK(events[0].retry_ms == 500);
      CHECK(events[1].data == " two");
      CHECK(events[1].id == "1");
      CHECK_FALSE(events[1].retry_ms.has_value());
    }
  }
}

TEST_CASE("an event that is too long ends the stream", "[agent][http]") {
  SseEvent event;
  SseReader reader(100);
  const std::string line(101, 'x');
  std::string_view bytes = line;
  CHECK(reader.Next(bytes, event).status().code() == absl::StatusCode::kResourceExhausted);
  bytes = "data: x\n\n";
  CHECK_FALSE(reader.Next(bytes, event).ok());

  SseReader many(100);
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "data: x\n";
  bytes = lines;
  CHECK(many.Next(bytes, event).status().code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("an id that holds a NUL is none", "[agent][http]") {
  const auto events = Read(std::string("id: 1\ndata: a\n\nid: \0\ndata: b\n\n", 30), 3);
  REQUIRE(events.size() == 2);
  CHECK(events[1].data == "b");
  CHECK(events[1].id == "1");
}

TEST_CASE("comments for ever are no event that grows", "[agent][http]") {
  SseReader reader(100);
  SseEvent event;
  for (int i = 0; i < 1000; ++i) {
    std::string_view bytes = ": ping\n";
    const auto more = reader.Next(bytes, event);
    REQUIRE(more.ok());
    CHECK_FALSE(*more);
  }
}

TEST_CASE("a stream is taken up after its last complete event that set an id, with data or without",
          "[agent][http]") {
  SseReader reader(1000);
  SseEvent event;
  const auto feed = [&](std::string_view bytes) {
    while (*reader.Next(bytes, event)) {
    }
    return reader.last_id();
  };
  CHECK(feed("data: x\n\n").empty());
  CHECK_FALSE(reader.last_retry_ms());
  CHECK(feed("id: 1\nretry: 500\ndata: \n\n") == "1");
  CHECK(reader.last_retry_ms() == 500);
  CHECK(feed("data: y\n\n") == "1");
  CHECK(feed("id: 2\ndata: cut o") == "1");
  CHECK(feed("ff\n") == "1");
  CHECK(feed("\n") == "2");
  CHECK(reader.last_retry_ms() == 500);
  CHECK(feed("id\n\n").empty());
}

TEST_CASE("what is written is read back", "[agent][http]") {
  std::string out;
  AppendSsePriming(out, "p1", 250);
  CHECK(out == "id: p1\nretry: 250\ndata: \n\n");
  AppendSsePriming(out, "p2");
  AppendSsePriming(out, "bad\nid");
  CHECK(out.ends_with("\n\nid: p2\ndata: \n\n"));
  AppendSseHeartbeat(out);
  AppendSseEvent(out, "{\"a\":\r\n1,\n\"b\":\r2}", "7");
  AppendSseEvent(out, "two", "bad\nid", "bad\nevent");
  const auto events = Read(out, 4);
  REQUIRE(events.size() == 2);
  CHECK(events[0].data == "{\"a\":  1, \"b\": 2}");
  CHECK(events[0].id == "7");
  CHECK(events[1].data == "two");
  CHECK(events[1].id == "7");
  CHECK(events[1].event == "message");
}

}  // namespace
}  // namespace sallyport::agent
