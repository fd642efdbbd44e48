#include "agent/mcp/modern_headers.h"

#include <catch2/catch.hpp>

#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

constexpr char kVersion[] = "2026-07-28";

int CodeOf(const std::string& json, const ModernHeaders& headers) {
  const auto refusal = CheckModernMessage(FromClient(json), headers);
  return refusal ? refusal->code : 0;
}

TEST_CASE("a modern request passes when its headers say what its body says", "[agent][mcp]") {
  CHECK(CodeOf(ModernRequest("tools/call", R"("name":"echo")"),
               {.protocol_version = kVersion, .method = "tools/call", .name = "echo"}) == 0);
  CHECK(CodeOf(ModernRequest("resources/read", R"("uri":"file:///a")"),
               {.protocol_version = kVersion, .method = "resources/read", .name = "file:///a"}) ==
        0);
  CHECK(CodeOf(ModernRequest("prompts/get", R"("name":"p")"),
               {.protocol_version = kVersion, .method = "prompts/get", .name = "p"}) == 0);
  CHECK(CodeOf(ModernRequest("tools/list"),
               {.protocol_version = kVersion, .method = "tools/list"}) == 0);
  // Nothing of this one is named, so a name is nobody's business.
  CHECK(CodeOf(ModernRequest("tools/list"),
               {.protocol_version = kVersion, .method = "tools/list", .name = "x"}) == 0);
}

TEST_CASE("a header that is missing or says another thing refuses the request", "[agent][mcp]") {
  const std::string call = ModernRequest("tools/call", R"("name":"echo")");
  const ModernHeaders good{.protocol_version = kVersion, .method = "tools/call", .name = "echo"};
  const auto with = [&](auto change) {
    ModernHeaders headers = good;
    change(headers);
    return CodeOf(call, headers);
  };
  CHECK(with([](ModernHeaders& h) { h.protocol_version.reset(); }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.protocol_version = "2025-11-25"; }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.method.reset(); }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.method = "tools/list"; }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.method = "Tools/Call"; }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.name.reset(); }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.name = ""; }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.name = "Echo"; }) == -32020);
  CHECK(with([](ModernHeaders& h) { h.name = "echo "; }) == -32020);
}

TEST_CASE("a name in Base64 counts as the text it stands for, in its one spelling",
          "[agent][mcp]") {
  const std::string call = ModernRequest("tools/call", R"("name":"wörld ")");
  const auto named = [&](const char* name) {
    return CodeOf(call, {.protocol_version = kVersion, .method = "tools/call", .name = name});
  };
  CHECK(named("=?base64?d8O2cmxkIA==?=") == 0);
  for (const char* bad :
       {"=?base64?d8O2cmxkIA?=", "=?base64?d8O2cmxkIA=?=", "=?base64?d8O2 cmxkIA==?=",
        "=?base64?d8O2cmxkIB==?=", "=?base64?d8O2cmxkIA==", "=?BASE64?d8O2cmxkIA==?=",
        "=?base64?\?=", "=?base64?=", "=?base64?*?=", "d8O2cmxkIA=="}) {
    INFO(bad);
    CHECK(named(bad) == -32020);
  }
}

TEST_CASE("a request about a task is named by the task", "[agent][mcp]") {
  for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
    const std::string request = ModernRequest(method, R"("taskId":"t-1")");
    CHECK(CodeOf(request, {.protocol_version = kVersion, .method = method, .name = "t-1"}) == 0);
    CHECK(CodeOf(request, {.protocol_version = kVersion, .method = method, .name = "t-2"}) ==
          -32020);
    CHECK(CodeOf(request, {.protocol_version = kVersion, .method = method}) == -32020);
  }
}

TEST_CASE("what is wrong with a modern message is told in a fixed order", "[agent][mcp]") {
  const ModernHeaders none;
  const ModernHeaders other{.protocol_version = "2025-11-25", .method = "x"};
  const std::string response = R"({"jsonrpc":"2.0","id":1,"result":{}})";
  const std::string without_capabilities =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}}})";
  const std::string unserved =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}})";
  // A response is none of this era, whatever else is wrong.
  CHECK(CodeOf(response, other) == -32600);
  // Headers of another version come before what _meta lacks,
  CHECK(CodeOf(without_capabilities, other) == -32020);
  // that before a version that nobody serves,
  CHECK(CodeOf(without_capabilities, none) == -32602);
  CHECK(CodeOf(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})",
               {.protocol_version = kVersion, .method = "tools/list"}) == -32602);
  // and that before the other headers.
  CHECK(CodeOf(unserved, none) == -32022);
  CHECK(CodeOf(unserved, {.protocol_version = "2099-01-01", .method = "x"}) == -32022);
  CHECK(CodeOf(ModernRequest("tools/call", R"("name":"echo")"),
               {.protocol_version = kVersion, .method = "x", .name = "x"}) == -32020);
}

TEST_CASE("client capabilities that are no object are missing", "[agent][mcp]") {
  for (const char* value : {"[]", "null", "true", "\"{}\""}) {
    CHECK(
        CodeOf(
            R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":)" +
                std::string(value) + "}}}",
            {.protocol_version = kVersion, .method = "tools/list"}) == -32602);
  }
}

TEST_CASE("a notification needs no headers, but those it has must agree", "[agent][mcp]") {
  const std::string bare = R"({"jsonrpc":"2.0","method":"notifications/x"})";
  const std::string full =
      R"({"jsonrpc":"2.0","method":"notifications/x","params":{)" + std::string(kMeta) + "}}";
  CHECK(CodeOf(bare, {.protocol_version = kVersion}) == 0);
  CHECK(CodeOf(bare, {.protocol_version = kVersion, .method = "notifications/x"}) == 0);
  CHECK(CodeOf(bare, {.protocol_version = kVersion, .method = "notifications/y"}) == -32020);
  CHECK(CodeOf(bare, {.protocol_version = "2099-01-01"}) == -32022);
  CHECK(CodeOf(bare, {}) == -32022);
  CHECK(CodeOf(full, {}) == 0);
  CHECK(CodeOf(full, {.protocol_version = "2025-11-25"}) == -32020);
}

TEST_CASE("a header value is written in Base64 only where it could not stand", "[agent][mcp]") {
  CHECK(EncodeHeaderValue("us-west1") == "us-west1");
  CHECK(EncodeHeaderValue("a b") == "a b");
  CHECK(EncodeHeaderValue("=?base64?") == "=?base64?");
  CHECK(EncodeHeaderValue("Hello, 世界") == "=?base64?SGVsbG8sIOS4lueVjA==?=");
  CHECK(EncodeHeaderValue(" padded ") == "=?base64?IHBhZGRlZCA=?=");
  CHECK(EncodeHeaderValue("line1\nline2") == "=?base64?bGluZTEKbGluZTI=?=");
  CHECK(EncodeHeaderValue("=?base64?literal?=") == "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
  CHECK(EncodeHeaderValue("") == "=?base64?\?=");
}

TEST_CASE("every text comes back from its header value, in characters that a field may hold",
          "[agent][mcp]") {
  for (const std::string text :
       {"", " ", "plain", " x", "x ", "\t", "a\tb", "\r\nX: y", "\x7f", "ü",
        "=?base64?aGk=?=", "=?base64?\?=", "=?base64?=", "?=", "=?base64?x"}) {
    const std::string value = EncodeHeaderValue(text);
    INFO(value);
    for (const char c : value) CHECK((c >= 0x20 && c < 0x7f));
    CHECK(DecodeHeaderValue(value) == text);
  }
  const std::string nul("a\0b", 3);
  CHECK(DecodeHeaderValue(EncodeHeaderValue(nul)) == nul);
}

TEST_CASE("the fields for a modern server repeat the message", "[agent][mcp]") {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  CHECK(ModernHeaderFields(ModernCall("echo")) == Fields{{"MCP-Protocol-Version", kVersion},
                                                         {"Mcp-Method", "tools/call"},
                                                         {"Mcp-Name", "echo"}});
  CHECK(ModernHeaderFields(FromClient(ModernRequest("tools/list"))) ==
        Fields{{"MCP-Protocol-Version", kVersion}, {"Mcp-Method", "tools/list"}});
  CHECK(ModernHeaderFields(FromClient(ModernRequest("x\\r\\ny"))) ==
        Fields{{"MCP-Protocol-Version", kVersion}, {"Mcp-Method", "=?base64?eA0KeQ==?="}});
}

}  // namespace
}  // namespace sallyport::agent
