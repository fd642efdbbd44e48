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
  McpSession session("s");
  CHECK(session.BeginRequest("7"));
  CHECK_FALSE(session.BeginRequest("7"));
  CHECK(session.BeginRequest("\"7\""));
  session.FinishRequest("7");
  CHECK(session.in_flight() == 1);
  CHECK(session.BeginRequest("7"));
}

TEST_CASE("the 129th request in flight is refused", "[agent][session]") {
  McpSession session("s");
  for (int i = 0; i < 128; ++i) REQUIRE(session.BeginRequest(std::to_string(i)));
  CHECK_FALSE(session.BeginRequest("128"));
  session.FinishRequest("0");
  CHECK(session.BeginRequest("128"));
}

TEST_CASE("a client answers only what it was asked, and once", "[agent][session]") {
  McpSession session("s");
  CHECK_FALSE(session.TakeServerRequest("1"));
  CHECK(session.DeliverServerRequest("1"));
  CHECK_FALSE(session.TakeServerRequest("\"1\""));
  CHECK(session.TakeServerRequest("1"));
  CHECK_FALSE(session.TakeServerRequest("1"));
}

TEST_CASE("a subscription reaches a resource and its parts, and nothing that only begins like it",
          "[agent][session]") {
  McpSession session("s");
  CHECK_FALSE(session.IsSubscribedTo("file:///a"));
  CHECK(session.Subscribe("file:///a"));
  CHECK_FALSE(session.Subscribe("file:///a"));
  CHECK(session.Subscribe("file:///dir/"));
  for (const char* uri : {"file:///a", "file:///a/b", "file:///a?x", "file:///a#x", "file:///dir/",
                          "file:///dir/x"}) {
    INFO(uri);
    CHECK(session.IsSubscribedTo(uri));
  }
  for (const char* uri : {"file:///", "file:///ab", "file:///A", "file:///dir", ""}) {
    INFO(uri);
    CHECK_FALSE(session.IsSubscribedTo(uri));
  }
  session.Unsubscribe("file:///a");
  CHECK_FALSE(session.IsSubscribedTo("file:///a"));
  CHECK(session.IsSubscribedTo("file:///dir/x"));
}

TEST_CASE("subscriptions have a limit, and so has each", "[agent][session]") {
  McpSession session("s");
  CHECK_FALSE(session.MaySubscribe(std::string(4097, 'x')));
  for (int i = 0; i < 1024; ++i) {
    REQUIRE(session.MaySubscribe("x"));
    session.Subscribe("test://" + std::to_string(i));
  }
  CHECK_FALSE(session.MaySubscribe("x"));
  session.Unsubscribe("test://7");
  CHECK(session.MaySubscribe("x"));
}

TEST_CASE("what a task has asked its client for is known by its key", "[agent][session]") {
  McpSession session("s");
  session.AskInTask("t1", {"a"});
  CHECK_FALSE(session.HasAskedInTask("t1", "a"));  // it has no such task
  session.AddTask("t1");
  session.AddTask("t2");
  session.AskInTask("t1", {"a", "b"});
  CHECK(session.HasAskedInTask("t1", "a"));
  CHECK(session.HasAskedInTask("t1", "b"));
  CHECK_FALSE(session.HasAskedInTask("t1", "c"));
  CHECK_FALSE(session.HasAskedInTask("t2", "a"));
  for (int i = 0; i < 200; ++i) session.AskInTask("t2", {"again", std::to_string(i)});
  CHECK_FALSE(session.HasAskedInTask("t2", "72"));
  CHECK(session.HasAskedInTask("t2", "73"));
  CHECK(session.HasAskedInTask("t2", "199"));
  CHECK(session.HasAskedInTask("t2", "again"));
}

TEST_CASE("a task is the session's own until newer ones have pushed it out", "[agent][session]") {
  McpSession session("s");
  CHECK_FALSE(session.HasTask("t0"));
  for (int i = 0; i < 1024; ++i) session.AddTask("t" + std::to_string(i));
  CHECK(session.HasTask("t0"));
  session.AddTask("t0");
  CHECK(session.HasTask("t0"));
  session.AddTask("one more");
  CHECK_FALSE(session.HasTask("t0"));
  CHECK(session.HasTask("t1"));
  CHECK_FALSE(session.HasTask("T1"));
}

TEST_CASE("tasks are unfinished until their result or their end was given", "[agent][session]") {
  McpSession session("s");
  CHECK_FALSE(session.has_unfinished_tasks());
  session.AddTask("a");
  session.AddTask("b");
  session.FinishTask("a");
  session.FinishTask("unknown");
  CHECK(session.has_unfinished_tasks());
  session.FinishTask("b");
  CHECK_FALSE(session.has_unfinished_tasks());
  CHECK(session.HasTask("b"));
}

TEST_CASE("a task that its client has left is over when its server says so", "[agent][session]") {
  McpSession session("s");
  int over = 0;
  session.AddTask("a", [&] { ++over; });
  session.LeaveTask("a");
  CHECK_FALSE(session.has_unfinished_tasks());
  CHECK(over == 0);
  session.EndTask("a");
  session.EndTask("a");
  CHECK(over == 1);
}

}  // namespace
}  // namespace sallyport::agent
