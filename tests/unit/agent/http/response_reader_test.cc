#include <catch2/catch.hpp>
#include <string>

#include "agent/http/strict_framing.h"

namespace sallyport::agent {
namespace {

struct Outcome {
  int status = 0;
  bool is_failed = false;
  bool is_done = false;
  bool is_complete_at_close = false;
  std::string body;
  std::string rest;
};

Outcome Read(std::string_view bytes, std::size_t step, bool is_streamed = false,
             const HttpLimits& limits = {}) {
  HttpResponse response;
  ResponseReader reader(response, limits);
  Outcome outcome;
  std::string_view piece;
  std::size_t given = 0;
  bool has_streamed = false;
  while (!reader.error() && !reader.is_done()) {
    if (piece.empty()) {
      if (given == bytes.size()) break;
      piece = bytes.substr(given, step);
      given += piece.size();
    }
    piece.remove_prefix(reader.Feed(piece));
    if (is_streamed && reader.is_head_done() && !has_streamed) {
      reader.Stream();
      has_streamed = true;
    }
    if (has_streamed) {
      outcome.body += response.body;
      response.body.clear();
    }
  }
  outcome.rest = std::string(piece) + std::string(bytes.substr(given));
  outcome.is_done = reader.is_done();
  outcome.is_complete_at_close = reader.OnClose();
  outcome.status = response.status;
  outcome.is_failed = static_cast<bool>(reader.error());
  if (outcome.is_failed) CHECK(reader.error().status == 502);
  outcome.body += response.body;
  return outcome;
}

bool IsRefused(const std::string& bytes, const HttpLimits& limits = {}) {
  const Outcome whole = Read(bytes, bytes.size(), false, limits);
  const Outcome single = Read(bytes, 1, false, limits);
  CHECK(whole.is_failed == single.is_failed);
  return whole.is_failed;
}

TEST_CASE("a response is read, however it is cut", "[agent][http]") {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP";
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
    const Outcome outcome = Read(bytes, step);
    CHECK(outcome.is_done);
    CHECK(outcome.status == 200);
    CHECK(outcome.body == "hello");
    CHECK((outcome.rest == "HTTP"));
  }
  CHECK(Read("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 1).is_done);
  CHECK(Read("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 1).body ==
        "hi");
}

TEST_CASE("interim responses are skipped, a few of them", "[agent][http]") {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  const std::string real = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
  std::string few;
  for (int i = 0; i < 16; ++i) few += interim;
  CHECK(Read(few + real, 5).status == 202);
  CHECK(IsRefused(few + interim + real));
  CHECK(IsRefused("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  CHECK(IsRefused("HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc"));
}

TEST_CASE("responses that two readers could read in two ways are refused", "[agent][http]") {
  for (const char* bytes :
       {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 999 X\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\x01\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nMcp-Session-Id: a\r\nMcp-Session-Id: b\r\nContent-Length: 0\r\n\r\n"}) {
    INFO(bytes);
    CHECK(IsRefused(bytes));
  }
  CHECK(IsRefused("HTTP/1.1 200 OK\r\nX: " + std::string(65536, 'a') + "\r\n\r\n"));
}

TEST_CASE("encoded bodies are refused", "[agent][http]") {
  for (const char* coding : {"gzip", "deflate", "br", "zstd", "gzip, gzip", "x"}) {
    CHECK(IsRefused(std::string("HTTP/1.1 200 OK\r\nContent-Encoding: ") + coding +
                    "\r\nContent-Length: 1\r\n\r\nx"));
  }
  CHECK_FALSE(
      IsRefused("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"));
}

TEST_CASE("responses without a body have none", "[agent][http]") {
  CHECK(IsRefused("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"));
  CHECK(IsRefused("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
  const Outcome none = Read("HTTP/1.1 204 No Content\r\n\r\nHTTP", 100);
  CHECK(none.is_done);
  CHECK((none.rest == "HTTP"));
  CHECK(Read("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 1).is_done);
}

TEST_CASE("a body without a length ends with the connection", "[agent][http]") {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n";
  for (const bool is_streamed : {false, true}) {
    const Outcome outcome = Read(bytes, 3, is_streamed);
    CHECK_FALSE(outcome.is_failed);
    CHECK_FALSE(outcome.is_done);
    CHECK(outcome.is_complete_at_close);
    CHECK(outcome.body == "data: x\n\n");
  }
  CHECK(Read("HTTP/1.0 202 Accepted\r\n\r\n", 100).is_complete_at_close);
  CHECK(IsRefused(bytes, {.body = 8}));
}

TEST_CASE("a response that is cut off is not complete", "[agent][http]") {
  for (const char* bytes :
       {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
    CHECK_FALSE(Read(bytes, 100).is_complete_at_close);
    CHECK_FALSE(Read(bytes, 100, true).is_complete_at_close);
  }
}

TEST_CASE("the body limit holds for what is kept, not for what is streamed", "[agent][http]") {
  const HttpLimits limits{.body = 8};
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
  CHECK(Read(bytes, 100, false, limits).is_failed);
  const Outcome streamed = Read(bytes, 100, true, limits);
  CHECK(streamed.is_done);
  CHECK(streamed.body == "0123456701234567");
}

TEST_CASE("a stream of small chunks with extensions never ends by them", "[agent][http]") {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string bytes = head;
  for (int i = 0; i < 40'000; ++i) bytes += "2;sig=0123456789\r\n:\n\r\n";
  bytes += "0\r\n\r\n";
  CHECK(IsRefused(bytes));
  const Outcome streamed = Read(bytes, 1000, true);
  CHECK(streamed.is_done);
  CHECK(streamed.body.size() == 80'000);
  // One chunk's extension has its limit still.
  const std::string long_one = head + "1\r\nx\r\n1;x=" + std::string(1000, 'x') + "\r\nx\r\n";
  CHECK(Read(long_one, 7, true).is_failed);
}

TEST_CASE("a response's head that is said again is read as it was the first time",
          "[agent][http]") {
  HttpResponse response;
  ResponseReader reader(response, HttpLimits{});
  const auto read = [&](std::string_view bytes) {
    reader.Next();
    while (!bytes.empty() && !reader.error() && !reader.is_done()) {
      bytes.remove_prefix(reader.Feed(bytes));
    }
    return reader.is_done() && bytes.empty();
  };
  for (const std::string body : {"{}", "[]", "{\"a\":1}"}) {
    REQUIRE(read("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body));
    CHECK(response.status == 200);
    CHECK(response.body == body);
    CHECK(response.fields.Find("content-type") == "application/json");
    CHECK(response.fields.Find("content-length") == std::to_string(body.size()));
    CHECK(response.keep_alive);
  }
  for (int i = 0; i < 2; ++i) {
    REQUIRE(read("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"));
    CHECK(response.status == 404);
    REQUIRE(read("HTTP/1.1 204 No\r\n\r\n"));
    CHECK(response.status == 204);
    REQUIRE(
        read("HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
    CHECK(response.status == 200);
    CHECK_FALSE(response.fields.Find("x-a"));
  }
  CHECK_FALSE(read("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx"));
}

}  // namespace
}  // namespace sallyport::agent
