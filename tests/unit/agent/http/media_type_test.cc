#include <catch2/catch.hpp>
#include <string>

#include "agent/http/strict_framing.h"

namespace sallyport::agent {
namespace {

bool AcceptsWith(const std::string& fields, std::string_view type) {
  HttpRequest request;
  RequestReader reader(request, {});
  reader.Feed("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
  REQUIRE(reader.is_done());
  return Accepts(request.fields, type);
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

}  // namespace
}  // namespace sallyport::agent
