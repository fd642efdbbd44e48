#include "agent/http/head_writer.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/http/strict_framing.h"

namespace sallyport::agent {
namespace {

TEST_CASE("heads that are written are read back", "[agent][http]") {
  std::string out;
  HeadWriter writer = HeadWriter::Request(out, "POST", "/mcp?x=1", "127.0.0.1:3001");
  writer.Field("Authorization", "Bearer x").ContentLength(5).End();
  REQUIRE(writer.ok());
  out += "hello";
  HttpRequest request;
  RequestReader reader(request, {});
  std::string_view left = out;
  left.remove_prefix(reader.Feed(left));
  left.remove_prefix(reader.Feed(left));
  REQUIRE(reader.is_done());
  CHECK(request.body == "hello");
  CHECK(request.fields.Find("authorization") == "Bearer x");

  out.clear();
  HeadWriter::Response(out, 200).Field("Content-Type", "text/event-stream").Chunked().End();
  AppendChunk(out, "0123456789abcdef");
  AppendChunk(out, "");
  AppendLastChunk(out);
  HttpResponse response;
  ResponseReader response_reader(response, {});
  left = out;
  left.remove_prefix(response_reader.Feed(left));
  left.remove_prefix(response_reader.Feed(left));
  REQUIRE(response_reader.is_done());
  CHECK(response.body == "0123456789abcdef");
}

TEST_CASE("nothing that could break a head is written", "[agent][http]") {
  for (const char* value : {"a\r\nX: b", "a\nb", "a\rb", "\x01", "caf\xc3\xa9", " a", "a "}) {
    std::string out;
    HeadWriter writer = HeadWriter::Response(out, 200);
    writer.Field("X-Y", value).End();
    CHECK_FALSE(writer.ok());
    CHECK(out == "HTTP/1.1 200 OK\r\n\r\n");
  }
  CHECK_FALSE(IsFieldValue(std::string_view("a\0b", 3)));
  CHECK_FALSE(IsFieldName("X Y"));
  CHECK_FALSE(IsFieldName(""));
  CHECK_FALSE(IsFieldName("X:"));
  std::string out;
  for (const char* target : {"", "x", "/a b", "/a\r\n", "/#f", "/\x80"}) {
    CHECK_FALSE(HeadWriter::Request(out, "GET", target, "h").ok());
  }
  CHECK_FALSE(HeadWriter::Request(out, "GET", "/", "h\r\nX: y").ok());
  CHECK_FALSE(HeadWriter::Request(out, "G T", "/", "h").ok());
}

}  // namespace
}  // namespace sallyport::agent
