#include "agent/session/mcp_session.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

namespace sallyport::agent {
namespace {

TEST_CASE("an MCP session id is long, visible ASCII and never the same", "[agent][session]") {
  const std::string id = NewMcpSessionId();
  CHECK(id.size() >= 22);
  CHECK(std::all_of(id.begin(), id.end(), [](char c) { return c >= 0x21 && c <= 0x7e; }));
  CHECK(id != NewMcpSessionId());
}

TEST_CASE("an id in flight is refused until it is answered, and literals keep their type",
          "[agent][session]") {
  McpSession session("s", {});
  CHECK(session.BeginRequest("7"));
  CHECK_FALSE(session.BeginRequest("7"));
  CHECK(session.BeginRequest("\"7\""));
  session.FinishRequest("7");
  CHECK(session.in_flight() == 1);
  CHECK(session.BeginRequest("7"));
}

TEST_CASE("the 129th request in flight is refused", "[agent][session]") {
  McpSession session("s", {});
  for (int i = 0; i < 128; ++i) REQUIRE(session.BeginRequest(std::to_string(i)));
  CHECK_FALSE(session.BeginRequest("128"));
  session.FinishRequest("0");
  CHECK(session.BeginRequest("128"));
}

TEST_CASE("a client answers only what it was asked, and once", "[agent][session]") {
  McpSession session("s", {});
  CHECK_FALSE(session.TakeServerRequest("1"));
  CHECK(session.DeliverServerRequest("1"));
  CHECK_FALSE(session.TakeServerRequest("\"1\""));
  CHECK(session.TakeServerRequest("1"));
  CHECK_FALSE(session.TakeServerRequest("1"));
}

}  // namespace
}  // namespace sallyport::agent
