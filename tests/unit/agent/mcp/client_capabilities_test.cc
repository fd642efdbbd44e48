#include "agent/mcp/client_capabilities.h"

#include "common/denial.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

std::string Needs(const std::string& method, const std::string& params) {
  const ServerMethod* found = FindServerMethod(method);
  REQUIRE(found != nullptr);
  const std::string id = found->is_notification ? "" : R"("id":1,)";
  const auto needs = NeedsOf(*found, FromServer(R"({"jsonrpc":"2.0",)" + id + R"("method":")" +
                                                method + R"(","params":)" + params + "}"));
  return needs ? RequiredCapabilitiesOf(NotDeclared(*needs)) : "what no client can declare";
}

TEST_CASE("a client that names no mode of elicitation has form mode, and none but that",
          "[agent][mcp]") {
  const ClientCapabilities form{.form = true};
  for (const char* declared : {"{}", R"({"form":{}})", R"({"vendor":{}})", R"({"url":false})",
                               R"({"form":{},"url":null})", "true"}) {
    INFO(declared);
    CHECK(ReadClientCapabilities(R"({"elicitation":)" + std::string(declared) + "}") == form);
  }
  CHECK(ReadClientCapabilities(R"({"elicitation":{"url":{}}})") == ClientCapabilities{.url = true});
  CHECK(ReadClientCapabilities(R"({"elicitation":{"form":{},"url":{}}})") ==
        ClientCapabilities{.form = true, .url = true});
}

TEST_CASE("what a client does not name, or shuts, it has not declared", "[agent][mcp]") {
  for (const char* declared : {"{}", R"({"elicitation":false,"sampling":null})",
                               R"({"experimental":{"sampling":{}}})", R"({"Sampling":{}})", "[]"}) {
    INFO(declared);
    CHECK(ReadClientCapabilities(declared).empty());
  }
  CHECK(ReadClientCapabilities(R"({"sampling":{"context":{}},"roots":{},"tasks":{}})") ==
        ClientCapabilities{.sampling = true, .roots = true, .tasks = true});
  CHECK(ReadClientCapabilities(R"({"sampling":{"tools":{}}})") ==
        ClientCapabilities{.sampling = true, .sampling_tools = true});
}

TEST_CASE("each message of either era declares what stands where its era has it", "[agent][mcp]") {
  const ClientCapabilities url{.url = true};
  CHECK(
      DeclaredBy(FromClient(
          R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}},"clientInfo":{}}})")) ==
      url);
  ClientMessage modern = FromClient(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}}})");
  CHECK(DeclaredBy(modern) == url);
  modern.modern.declared_capabilities = std::string(R"({"roots":{}})");
  CHECK(DeclaredBy(modern) == ClientCapabilities{.roots = true});
  CHECK(DeclaredBy(FromClient(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})")).empty());
}

TEST_CASE("an elicitation needs its mode, a sampling with tools needs them", "[agent][mcp]") {
  const std::string elicit = "elicitation/create", sample = "sampling/createMessage";
  const std::string form = R"({"elicitation":{"form":{}}})", url = R"({"elicitation":{"url":{}}})";
  CHECK(Needs(elicit, "{}") == form);
  CHECK(Needs(elicit, R"({"mode":"form","url":"https://a"})") == form);
  CHECK(Needs(elicit, R"({"mode":null})") == form);
  CHECK(Needs(elicit, R"({"mode":"\u0075rl"})") == url);
  CHECK(Needs("notifications/elicitation/complete", "{}") == url);
  CHECK(Needs(sample, "{}") == R"({"sampling":{}})");
  CHECK(Needs(sample, R"({"tools":null,"includeContext":"allServers"})") == R"({"sampling":{}})");
  for (const char* tools : {R"({"tools":[]})", R"({"toolChoice":{"mode":"none"}})"}) {
    CHECK(Needs(sample, tools) == R"({"sampling":{"tools":{}}})");
  }
  CHECK(Needs("roots/list", "{}") == R"({"roots":{}})");
  CHECK(Needs("tasks/list", "{}") == R"({"tasks":{}})");
  CHECK(Needs("notifications/message", "{}") == "{}");
}

TEST_CASE("what the protocol does not have, or can be read in two ways, no client can declare",
          "[agent][mcp]") {
  const std::string none = "what no client can declare";
  for (const char* mode : {R"("Url")", R"("")", "7", "{}", "true"}) {
    INFO(mode);
    CHECK(Needs("elicitation/create", R"({"mode":)" + std::string(mode) + "}") == none);
  }
  CHECK(Needs("sampling/createMessage", R"({"Tools":[]})") == none);
  CHECK(Needs("sampling/createMessage", "{\"tool\u017f\":[]}") == none);
  CHECK(Needs("sampling/createMessage", R"({"toolchoice":{}})") == none);
}

TEST_CASE("what is missing is said in the words of capabilities", "[agent][mcp]") {
  ClientCapabilities needs{.sampling = true, .sampling_tools = true};
  needs.Add({.form = true, .url = true, .roots = true});
  CHECK(RequiredCapabilitiesOf(NotDeclared(Missing(needs, {.form = true}))) ==
        R"({"sampling":{"tools":{}},"elicitation":{"url":{}},"roots":{}})");
  CHECK(RequiredCapabilitiesOf(NotDeclared(Missing(needs, {.sampling = true, .roots = true}))) ==
        R"({"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}})");
  CHECK(Missing(needs, needs).empty());
  CHECK(ReasonOf(NotDeclared(needs)) == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(RequiredCapabilitiesOf(Denied(types::v1::DENIAL_REASON_POLICY_DENIED, "no")).empty());
  const UpstreamMessage error = CapabilityNotDeclared("7", R"({"roots":{}})");
  CHECK(
      error.bytes ==
      R"({"jsonrpc":"2.0","id":7,"error":{"code":-32021,"message":"Missing required client capability","data":{"requiredCapabilities":{"roots":{}}}}})");
}

}  // namespace
}  // namespace sallyport::agent
