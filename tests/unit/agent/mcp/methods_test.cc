#include "agent/mcp/methods.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace sallyport::agent {
namespace {

TEST_CASE("only these methods pass without a rule", "[agent][mcp]") {
  const std::set<std::string> free = {"initialize",
                                      "ping",
                                      "tools/list",
                                      "resources/list",
                                      "resources/templates/list",
                                      "prompts/list",
                                      "notifications/initialized",
                                      "notifications/cancelled",
                                      "notifications/progress"};
  for (const char* name :
       {"initialize", "ping", "tools/list", "tools/call", "resources/list",
        "resources/templates/list", "resources/read", "resources/subscribe", "prompts/list",
        "prompts/get", "completion/complete", "logging/setLevel", "notifications/initialized",
        "notifications/cancelled", "notifications/progress", "notifications/roots/list_changed",
        "tasks/get"}) {
    INFO(name);
    const ClientMethod* method = FindClientMethod(name);
    REQUIRE(method != nullptr);
    CHECK(method->needs_rule == (free.count(name) == 0));
  }
}

TEST_CASE("three methods are counted", "[agent][mcp]") {
  for (const char* name : {"tools/call", "resources/read", "prompts/get"})
    CHECK(FindClientMethod(name)->is_counted);
  CHECK_FALSE(FindClientMethod("tools/list")->is_counted);
}

TEST_CASE("unknown and misspelled methods are in no table", "[agent][mcp]") {
  for (const char* name :
       {"", "Tools/call", "tools/call ", "tools", "sampling/createMessage", "server/discover"}) {
    CHECK(FindClientMethod(name) == nullptr);
  }
  CHECK(FindServerMethod("tools/call") == nullptr);
  REQUIRE(FindServerMethod("sampling/createMessage") != nullptr);
  CHECK(PolicyWord(FindServerMethod("sampling/createMessage")->request) == "sampling");
  CHECK(PolicyWord(FindServerMethod("ping")->request).empty());
  CHECK_FALSE(FindClientMethod("tasks/get")->is_served);
  CHECK_FALSE(FindClientMethod("resources/subscribe")->is_served);
}

}  // namespace
}  // namespace sallyport::agent
