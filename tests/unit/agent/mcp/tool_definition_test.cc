#include "agent/mcp/tool_definition.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

std::string HashOf(const std::string& entry) {
  const auto definition = ReadToolDefinition(entry);
  INFO(entry);
  REQUIRE(definition.ok());
  return definition->hash;
}

TEST_CASE("a definition is the same however it is spelt", "[agent][mcp]") {
  const std::string plain = HashOf(R"({"name":"a","description":"does a"})");
  CHECK(HashOf(R"( {"description" : "\u0064oes a", "name":"a"} )") == plain);
  CHECK(HashOf(R"({"name":"a","description":"does a","_meta":{"seen":7},"icons":[]})") == plain);
}

TEST_CASE("a definition changes with all that is said of what the tool does", "[agent][mcp]") {
  const std::string before = HashOf(R"({"name":"a","inputSchema":{"type":"object"}})");
  for (const char* after :
       {R"({"name":"b","inputSchema":{"type":"object"}})",
        R"({"name":"a","inputSchema":{"type":"object"},"description":""})",
        R"({"name":"a","inputSchema":{"type":"object"},"title":"A"})",
        R"({"name":"a","inputSchema":{"type":"object","properties":{}}})",
        R"({"name":"a","inputSchema":{"type":"object","_meta":{}}})",
        R"({"name":"a","inputSchema":{"type":"object"},"outputSchema":{}})",
        R"({"name":"a","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}})",
        R"({"name":"a","inputSchema":{"type":"object"},"vendor/x":1})"}) {
    INFO(after);
    CHECK(HashOf(after) != before);
  }
}

TEST_CASE("a page gives the definitions of the tools that have names", "[agent][mcp]") {
  std::string cursor = "left over";
  const auto tools = ReadToolDefinitions(
      Result(R"({"tools":[{"name":"a"},{"title":"nameless"},{"name":7},{"name":"b"}]})"), cursor);
  REQUIRE(tools.ok());
  REQUIRE(tools->size() == 2);
  CHECK(tools->at(0).name == "a");
  CHECK(tools->at(0).json == R"({"name":"a"})");
  CHECK(tools->at(1).hash == HashOf(R"({"name":"b"})"));
  CHECK(cursor.empty());
  CHECK(ReadToolDefinitions(Result(R"({"tools":[],"nextCursor":"\u0041"})"), cursor)->empty());
  CHECK(cursor == R"("A")");
  CHECK(ReasonOf(ReadToolDefinitions(Result(R"({"tools":{}})"), cursor).status()) ==
        types::v1::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(ReasonOf(ReadToolDefinition(R"({"title":"x"})").status()) ==
        types::v1::DENIAL_REASON_UPSTREAM_INVALID);
}

}  // namespace
}  // namespace sallyport::agent
