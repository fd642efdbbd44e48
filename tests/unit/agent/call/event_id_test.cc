#include "agent/call/event_id.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

TEST_CASE("an event id tells the session, the stream and the place", "[agent][stream]") {
  std::string text;
  AppendEventId(text, {.session = "9f86d081", .stream = 3, .n = 17});
  CHECK(text == "9f86d081-3-17");
  const auto id = ParseEventId(text);
  REQUIRE(id);
  CHECK(id->session == "9f86d081");
  CHECK(id->stream == 3);
  CHECK(id->n == 17);
}

TEST_CASE("only the spelling that was given out is an event id", "[agent][stream]") {
  const char* text =
      GENERATE("", "-", "--", "9f86d081", "9f86d081-3", "9f86d081-3-", "9f86d081--17",
               "9f86d081-3-17-1", "9f86d081-03-17", "9f86d081-3-017", "9f86d081-+3-17",
               "9f86d081- 3-17", "9f86d081-3-17 ", "9f86d081-3-0x11", "9f86d081-3--1",
               "9f86d081-3-18446744073709551616", "9f86d081-99999999999999999999-1");
  CHECK_FALSE(ParseEventId(text));
}

}  // namespace
}  // namespace sallyport::agent
