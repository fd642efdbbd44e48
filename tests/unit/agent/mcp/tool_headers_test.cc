#include "agent/mcp/tool_headers.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Headers = std::map<std::string, std::string, std::less<>>;

std::string Tool(const std::string& name, const std::string& properties) {
  return R"({"name":")" + name + R"(","inputSchema":{"type":"object","properties":)" + properties +
         "}}";
}
// What `tools` say after one list of them.
ToolHeaders Learned(const std::string& tools) {
  ToolHeaders headers;
  std::string cursor;
  REQUIRE(headers.Learn(Result(R"({"tools":[)" + tools + "]}"), cursor));
  CHECK(cursor.empty());
  return headers;
}
constexpr char kRegion[] = R"({"region":{"type":"string","x-mcp-header":"Region"}})";
constexpr char kLimit[] = R"({"limit":{"type":"integer","x-mcp-header":"Limit"}})";

std::optional<std::string> Disagreement(const ToolHeaders& tools, const std::string& arguments,
                                        const Headers& headers) {
  return tools.Disagreement(ModernCall("t", arguments),
                            [&](std::string_view name) -> std::optional<std::string_view> {
                              const auto at = headers.find(name);
                              if (at == headers.end()) return std::nullopt;
                              return at->second;
                            });
}

TEST_CASE("an annotated argument is repeated under its header's name", "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool("t", kRegion));
  CHECK(tools.Knows("t"));
  CHECK_FALSE(tools.Knows("T"));
  CHECK(tools.FieldsFor(ModernCall("t", R"({"region":"eu","q":1})")) ==
        Fields{{"mcp-param-region", "eu"}});
  CHECK(tools.FieldsFor(ModernCall("t", R"({"region":"zürich"})")) ==
        Fields{{"mcp-param-region", "=?base64?esO8cmljaA==?="}});
  CHECK(tools.FieldsFor(ModernCall("u", R"({"region":"eu"})")).empty());
  CHECK(tools.FieldsFor(ModernCall("t")).empty());
  CHECK(tools.FieldsFor(FromClient(ModernRequest("tools/call", R"("name":"t")"))).empty());
  // A prompt of a tool's name is no tool.
  CHECK(tools
            .FieldsFor(FromClient(
                ModernRequest("prompts/get", R"("name":"t","arguments":{"region":"eu"})")))
            .empty());
}

TEST_CASE("a header must be there and say what the argument says", "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool("t", kRegion));
  const auto eu = [&](const Headers& headers) {
    return Disagreement(tools, R"({"region":"eu"})", headers);
  };
  CHECK_FALSE(eu({{"mcp-param-region", "eu"}}));
  CHECK_FALSE(eu({{"mcp-param-region", "=?base64?ZXU=?="}}));
  CHECK(eu({}) == "mcp-param-region is missing");
  CHECK(eu({{"mcp-param-region", "us"}}) == "mcp-param-region has another value than the argument");
  CHECK(eu({{"mcp-param-region", "EU"}}).has_value());
  CHECK(eu({{"mcp-param-region", ""}}).has_value());
  CHECK(eu({{"mcp-param-region", "=?base64?ZXU?="}}) == "mcp-param-region is not canonical Base64");
  CHECK(eu({{"mcp-param-region", "=?base64?ZXV=?="}}) ==
        "mcp-param-region is not canonical Base64");
  // Nobody annotated this one.
  CHECK_FALSE(eu({{"mcp-param-region", "eu"}, {"mcp-param-other", "x"}}));
}

TEST_CASE("an argument without a value has no header", "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool("t", kRegion));
  for (const char* arguments : {"{}", R"({"region":null})", R"({"other":"eu"})",
                                R"({"region":{"a":"eu"}})", R"({"region":["eu"]})"}) {
    INFO(arguments);
    CHECK_FALSE(Disagreement(tools, arguments, {}));
    CHECK(Disagreement(tools, arguments, {{"mcp-param-region", "eu"}}) ==
          "mcp-param-region has a value, its argument has none");
    CHECK(tools.FieldsFor(ModernCall("t", arguments)).empty());
  }
  const ClientMessage bare = FromClient(ModernRequest("tools/call", R"("name":"t")"));
  CHECK(tools.Disagreement(bare, [](std::string_view) { return "eu"; }).has_value());
  CHECK_FALSE(tools.Disagreement(
      bare, [](std::string_view) -> std::optional<std::string_view> { return std::nullopt; }));
}

TEST_CASE("numbers are compared by value, to the last digit", "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool("t", kLimit));
  const auto says = [&](const std::string& argument, const std::string& header) {
    return !Disagreement(tools, R"({"limit":)" + argument + "}", {{"mcp-param-limit", header}});
  };
  CHECK(says("42", "42"));
  CHECK(says("42", "42.0"));
  CHECK(says("4.2e1", "42"));
  CHECK(says("-0.5", "-0.50"));
  CHECK(says("12345678901234567890", "12345678901234567890"));
  CHECK_FALSE(says("12345678901234567890", "12345678901234567891"));
  CHECK_FALSE(says("1e400", "2e400"));
  for (const char* bad : {"43", "0x2a", "+42", " 42", "42 ", "042", "", "4 2", "inf"}) {
    INFO(bad);
    CHECK_FALSE(says("42", bad));
  }
  // A string is a string.
  CHECK_FALSE(says("\"42\"", "42.0"));
  CHECK(says("\"42\"", "42"));
}

TEST_CASE("a number goes to the server in decimals, and only where all readers agree on it",
          "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool("t", kLimit));
  const auto fields = [&](const std::string& argument) {
    return tools.FieldsFor(ModernCall("t", R"({"limit":)" + argument + "}"));
  };
  CHECK(fields("42") == Fields{{"mcp-param-limit", "42"}});
  CHECK(fields("4.2e1") == Fields{{"mcp-param-limit", "42"}});
  CHECK(fields("-7") == Fields{{"mcp-param-limit", "-7"}});
  for (const char* wide : {"12345678901234567890", "1e400", "-1e400"}) {
    CHECK(fields(wide).empty());
    CHECK_FALSE(Disagreement(tools, R"({"limit":)" + std::string(wide) + "}", {}));
  }
}

TEST_CASE("booleans are said in lower case", "[agent][mcp]") {
  const ToolHeaders tools =
      Learned(Tool("t", R"({"dry":{"type":"boolean","x-mcp-header":"Dry-Run"}})"));
  CHECK_FALSE(Disagreement(tools, R"({"dry":true})", {{"mcp-param-dry-run", "true"}}));
  CHECK(Disagreement(tools, R"({"dry":true})", {{"mcp-param-dry-run", "True"}}).has_value());
  CHECK(Disagreement(tools, R"({"dry":false})", {{"mcp-param-dry-run", "true"}}).has_value());
  CHECK(Disagreement(tools, R"({"dry":false})", {}).has_value());
  CHECK(tools.FieldsFor(ModernCall("t", R"({"dry":false})")) ==
        Fields{{"mcp-param-dry-run", "false"}});
}

TEST_CASE("a chain of properties leads to a nested argument", "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool("t", R"({"a":{"type":"object","x-mcp-header":"Outer",
      "properties":{"b.c":{"properties":{"x-mcp-header":{"type":"string","x-mcp-header":"Inner"}}}}}})"));
  const std::string arguments = R"({"a":{"b.c":{"x-mcp-header":"v"}}})";
  CHECK(tools.FieldsFor(ModernCall("t", arguments)) == Fields{{"mcp-param-inner", "v"}});
  CHECK(Disagreement(tools, arguments, {}) == "mcp-param-inner is missing");
  CHECK_FALSE(Disagreement(tools, arguments, {{"mcp-param-inner", "v"}}));
  CHECK_FALSE(Disagreement(tools, R"({"a":{"b":{"c":{"x-mcp-header":"v"}}}})", {}));
}

TEST_CASE("an annotation anywhere else, or that is none, means nothing", "[agent][mcp]") {
  const std::string annotated = R"({"type":"string","x-mcp-header":"H"})";
  for (const std::string& properties :
       {R"({"a":{"items":{"properties":{"b":)" + annotated + "}}}}",
        R"({"a":{"items":)" + annotated + "}}", R"({"a":{"anyOf":[)" + annotated + "]}}",
        R"({"a":{"$defs":{"b":)" + annotated + "}}}", R"({"a":[)" + annotated + "]}",
        R"({"a":{"properties":[)" + annotated + "]}}",
        std::string(R"({"a":{"type":"string","x-mcp-header":""}})"),
        std::string(R"({"a":{"type":"string","x-mcp-header":"a b"}})"),
        std::string(R"({"a":{"type":"string","x-mcp-header":"a\r\nb: c"}})"),
        std::string(R"({"a":{"type":"string","x-mcp-header":"ü"}})"),
        std::string(R"({"a":{"type":"string","x-mcp-header":7}})"), std::string("[]")}) {
    INFO(properties);
    const ToolHeaders tools = Learned(Tool("t", properties));
    CHECK(tools.Knows("t"));
    for (const char* arguments : {R"({"a":"v"})", R"({"a":{"b":"v"}})", R"({"a":[{"b":"v"}]})"}) {
      CHECK(tools.FieldsFor(ModernCall("t", arguments)).empty());
      CHECK_FALSE(Disagreement(tools, arguments, {}));
    }
  }
  // On the schema itself.
  CHECK(Learned(R"({"name":"t","inputSchema":)" + annotated + "}")
            .FieldsFor(ModernCall("t", R"({"a":"v"})"))
            .empty());
}

TEST_CASE("of a tool that gives one header to two arguments none counts", "[agent][mcp]") {
  const ToolHeaders tools = Learned(Tool(
      "t",
      R"({"a":{"type":"string","x-mcp-header":"Same"},"b":{"type":"string","x-mcp-header":"SAME"},"c":{"type":"string","x-mcp-header":"C"}})"));
  CHECK(tools.FieldsFor(ModernCall("t", R"({"a":"1","b":"2","c":"3"})")).empty());
}

TEST_CASE("of a tool that repeats more than a head may hold none counts", "[agent][mcp]") {
  const auto properties = [](int count) {
    std::string json = "{";
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      json += (i == 0 ? "\"a" : ",\"a") + n + R"(":{"type":"string","x-mcp-header":"H)" + n + "\"}";
    }
    return json + "}";
  };
  const std::string arguments = R"({"a0":"v"})";
  CHECK(Learned(Tool("t", properties(64))).FieldsFor(ModernCall("t", arguments)).size() == 1);
  CHECK(Learned(Tool("t", properties(65))).FieldsFor(ModernCall("t", arguments)).empty());
}

TEST_CASE("tools are learned page by page, and a later definition replaces an earlier one",
          "[agent][mcp]") {
  ToolHeaders tools;
  std::string cursor = "left over";
  REQUIRE(tools.Learn(
      Result(R"({"tools":[)" + Tool("t", kRegion) + R"(,{"noname":1},7],"nextCursor":"p\"2"})"),
      cursor));
  CHECK(cursor == R"("p\"2")");
  REQUIRE(tools.Learn(Result(R"({"tools":[)" + Tool("u", kLimit) + "]}"), cursor));
  CHECK(cursor.empty());
  CHECK(tools.Knows("t"));
  CHECK(tools.Knows("u"));
  REQUIRE(tools.Learn(Result(R"({"tools":[)" + Tool("t", kLimit) + "]}"), cursor));
  CHECK(tools.FieldsFor(ModernCall("t", R"({"region":"eu","limit":1})")) ==
        Fields{{"mcp-param-limit", "1"}});
  REQUIRE(tools.Learn(Result(R"({"tools":[{"name":"t"}]})"), cursor));
  CHECK(tools.Knows("t"));
  CHECK(tools.FieldsFor(ModernCall("t", R"({"region":"eu","limit":1})")).empty());
}

TEST_CASE("what is no list of tools teaches nothing", "[agent][mcp]") {
  ToolHeaders tools;
  std::string cursor = "left over";
  for (const char* result : {"{}", R"({"tools":{}})", R"({"tools":null})"}) {
    CHECK_FALSE(tools.Learn(Result(result), cursor));
    CHECK(cursor.empty());
  }
  CHECK_FALSE(tools.Learn(
      FromServer(R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}})"), cursor));
  CHECK_FALSE(tools.Learn(
      FromServer(R"({"jsonrpc":"2.0","method":"tools/list","params":{"tools":[]}})"), cursor));
}

TEST_CASE("no server makes us keep more than a few MiB of its tools", "[agent][mcp]") {
  ToolHeaders tools;
  std::string cursor;
  const std::string wide(1000, 'w');
  const auto page = [&](int n) {
    std::string list;
    for (int i = 0; i < 400; ++i) {
      list += (i == 0 ? "" : ",") +
              Tool(std::to_string(n) + "-" + std::to_string(i) + wide,
                   R"({")" + wide + R"(":{"x-mcp-header":"H)" + std::to_string(i) + "\"}}");
    }
    return Result(R"({"tools":[)" + list + "]}");
  };
  int learned = 0;
  while (learned < 50 && tools.Learn(page(learned), cursor)) ++learned;
  CHECK(learned > 2);
  CHECK(learned < 8);
  // A list that is asked for again takes the place of what it said before.
  ToolHeaders again;
  for (int i = 0; i < 20; ++i) CHECK(again.Learn(page(0), cursor));
}

TEST_CASE("a path of names longer than a head means nothing", "[agent][mcp]") {
  for (const std::size_t bytes : {std::size_t{1} << 10, std::size_t{20} << 10}) {
    const std::string name(bytes, 'w');
    const ToolHeaders tools =
        Learned(Tool("t", R"({")" + name + R"(":{"properties":{"a":{"x-mcp-header":"A"}}}})"));
    CHECK(tools.Knows("t"));
    const ClientMessage call = ModernCall("t", R"({")" + name + R"(":{"a":"v"}})");
    CHECK(tools.FieldsFor(call).size() == (bytes < 16384 ? 1 : 0));
  }
}

}  // namespace
}  // namespace sallyport::agent
