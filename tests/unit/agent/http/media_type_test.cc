#include <catch2/catch.hpp>
#include <string>

#include "agent/http/strict_framing.h"

namespace sallyport::agent {
namespace {

HttpRequest RequestWith(const std::string& fields) {
  HttpRequest request;
  RequestReader reader(request, {});
  reader.Feed("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
  REQUIRE(reader.is_done());
  return request;
}

bool AcceptsWith(const std::string& fields, std::string_view type) {
  return Accepts(RequestWith(fields).fields, type);
}

TEST_CASE("a media type is read with its charset", "[agent][http]") {
  for (const char* value :
       {"application/json", "Application/JSON", "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"", "application/json ; profile=x"}) {
    CHECK(IsMediaType(value, "application/json"));
  }
  for (const char* value : {"", "text/json", "application/json-seq", "application/jsonx",
                            "application/json; charset=utf-16", "application/json, text/plain",
                            "application/json;charset=latin1"}) {
    INFO(value);
    CHECK_FALSE(IsMediaType(value, "application/json"));
  }
}

TEST_CASE("accept is read over all its fields", "[agent][http]") {
  CHECK(AcceptsWith("", "text/event-stream"));
  CHECK(AcceptsWith("Accept: application/json, text/event-stream\r\n", "text/event-stream"));
  CHECK(AcceptsWith("Accept: application/json\r\nAccept: text/event-stream\r\n",
                    "text/event-stream"));
  CHECK(AcceptsWith("Accept: */*\r\n", "text/event-stream"));
  CHECK(AcceptsWith("Accept: text/*;q=0.5\r\n", "text/event-stream"));
  CHECK_FALSE(AcceptsWith("Accept: application/json\r\n", "text/event-stream"));
  CHECK_FALSE(AcceptsWith("Accept: text/event-stream;q=0\r\n", "text/event-stream"));
  CHECK_FALSE(AcceptsWith("Accept: */*, text/event-stream;q=0.0\r\n", "text/event-stream"));
  CHECK_FALSE(AcceptsWith("Accept: text/\r\n", "text/event-stream"));
}

TEST_CASE("what accept weighs more is preferred, and of equals what it names first",
          "[agent][http]") {
  const auto prefers_stream = [](const std::string& accept) {
    return Prefers(RequestWith(accept).fields, "text/event-stream", "application/json");
  };
  CHECK(prefers_stream("Accept: text/event-stream, application/json\r\n"));
  CHECK(prefers_stream("Accept: text/event-stream\r\nAccept: application/json\r\n"));
  CHECK(prefers_stream("Accept: application/json;q=0.9, Text/Event-Stream\r\n"));
  CHECK(prefers_stream("Accept: application/json;q=0.25, text/event-stream;q=0.5\r\n"));
  CHECK(prefers_stream("Accept: text/event-stream\r\n"));
  CHECK_FALSE(prefers_stream("Accept: application/json, text/event-stream\r\n"));
  CHECK_FALSE(prefers_stream("Accept: text/event-stream;q=0.9, application/json\r\n"));
  CHECK_FALSE(prefers_stream("Accept: text/event-stream;q=0, application/json;q=0\r\n"));
  CHECK_FALSE(prefers_stream("Accept: */*\r\n"));
  CHECK_FALSE(prefers_stream(""));
}

}  // namespace
}  // namespace sallyport::agent
