#include "agent/mcp/methods.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

TEST_CASE("a method belongs to its eras", "[agent][mcp]") {
  for (const char* name : {"initialize", "ping", "logging/setLevel", "resources/subscribe",
                           "tasks/list", "notifications/initialized"}) {
    INFO(name);
    CHECK(Has(FindClientMethod(name)->eras, Era::kLegacy));
    CHECK_FALSE(Has(FindClientMethod(name)->eras, Era::kModern));
  }
  for (const char* name : {"server/discover", "subscriptions/listen", "tasks/update"}) {
    INFO(name);
    CHECK_FALSE(Has(FindClientMethod(name)->eras, Era::kLegacy));
    CHECK(Has(FindClientMethod(name)->eras, Era::kModern));
  }
  for (const char* name : {"tools/call", "tools/list", "resources/read", "tasks/get"}) {
    INFO(name);
    CHECK(Has(FindClientMethod(name)->eras, Era::kLegacy));
    CHECK(Has(FindClientMethod(name)->eras, Era::kModern));
  }
}

TEST_CASE("three methods are counted", "[agent][mcp]") {
  for (const char* name : {"tools/call", "resources/read", "prompts/get"})
    CHECK(FindClientMethod(name)->is_counted);
  CHECK_FALSE(FindClientMethod("tools/list")->is_counted);
}

TEST_CASE("unknown and misspelled methods are in no table", "[agent][mcp]") {
  for (const char* name :
       {"", "Tools/call", "tools/call ", "tools", "sampling/createMessage", "server/Discover"}) {
    CHECK(FindClientMethod(name) == nullptr);
  }
  CHECK(FindServerMethod("tools/call") == nullptr);
  REQUIRE(FindServerMethod("sampling/createMessage") != nullptr);
  CHECK(PolicyWord(FindServerMethod("sampling/createMessage")->request) == "sampling");
  CHECK(PolicyWord(FindServerMethod("ping")->request).empty());
}

}  // namespace
}  // namespace sallyport::agent
