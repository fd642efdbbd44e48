// Field rules by name, before the schemas in which MCP itself tells of members.
#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/agent/mask/mask_fixture.h"

namespace sallyport::agent {
namespace {

using Json = nlohmann::json;

struct Fields : MaskFixture {
  Fields() : MaskFixture({"house"}, {{"house", Profile()}}) {}
  static types::v1::MaskProfileSpec Profile() {
    types::v1::MaskProfileSpec profile;
    profile.add_fields()->add_keys("ssn");
    return profile;
  }
  Json Masked(const Json& message) { return Json::parse(Mask(message.dump())); }
};

Json Schema() {
  return Json::parse(R"({"type":"object","required":["ssn"],"properties":{
      "ssn":{"type":"string","title":"A number","pattern":"[0-9-]+","minLength":11,"x-mcp-header":"Ssn"},
      "of":{"type":"object","properties":{"ssn":{"type":["string","null"],"items":{"type":"number"}}}}},
      "$defs":{"ssn":{"type":"string","description":"one of these"}}})");
}

Json Listed(const Json& schema) {
  return {{"jsonrpc", "2.0"},
          {"id", 1},
          {"result",
           {{"tools", {{{"name", "t"}, {"inputSchema", schema}, {"outputSchema", schema}}}}}}};
}

TEST_CASE("a field rule leaves alone how a schema describes a member of that name",
          "[agent][mask]") {
  Fields fields;
  const Json listed = Listed(Schema());
  CHECK(fields.Masked(listed) == listed);
  const Json asked = {{"jsonrpc", "2.0"},
                      {"id", 1},
                      {"method", "elicitation/create"},
                      {"params", {{"message", "?"}, {"requestedSchema", Schema()}}}};
  CHECK(fields.Masked(asked) == asked);
  const Json later = {
      {"jsonrpc", "2.0"},
      {"id", 1},
      {"result",
       {{"resultType", "input_required"},
        {"inputRequests",
         {{"a", {{"method", "elicitation/create"}, {"params", asked["params"]}}}}}}}};
  CHECK(fields.Masked(later) == later);
}

TEST_CASE("a field rule masks the values that a schema holds of a member of that name",
          "[agent][mask]") {
  Fields fields;
  const std::string kept =
      GENERATE(R"({"default":"078-05-1120"})", R"({"examples":["078-05-1120"]})",
               R"({"enum":["078-05-1120"]})", R"({"const":"078-05-1120"})",
               R"({"default":{"type":"078-05-1120"}})", R"({"anyOf":[{"const":"078-05-1120"}]})",
               R"({"x-of":"078-05-1120"})", R"({"title":{"of":"078-05-1120"}})", R"("078-05-1120")",
               R"(["078-05-1120"])");
  INFO(kept);
  Json schema = Schema();
  schema["properties"]["ssn"] = Json::parse(kept);
  const std::string masked = fields.Masked(Listed(schema)).dump();
  CHECK(masked.find("078-05-1120") == std::string::npos);
  CHECK(masked.find("[REDACTED:field]") != std::string::npos);
}

TEST_CASE("what only looks like a schema is data", "[agent][mask]") {
  Fields fields;
  const Json schema = {{"properties", {{"ssn", {{"title", "078-05-1120"}}}}}};
  const Json result = GENERATE_COPY(
      Json{{"structuredContent", {{"inputSchema", schema}}}}, Json{{"inputSchema", schema}},
      Json{{"content", {{{"type", "text"}, {"inputSchema", schema}}}}},
      Json{{"content", {{{"type", "text"}, {"text", Json{{"inputSchema", schema}}.dump()}}}}},
      Json{{"tools", {{{"name", "t"}, {"other", schema}}}}});
  const std::string masked =
      fields.Masked({{"jsonrpc", "2.0"}, {"id", 1}, {"result", result}}).dump();
  INFO(result.dump());
  CHECK(masked.find("078-05-1120") == std::string::npos);
}

}  // namespace
}  // namespace sallyport::agent
