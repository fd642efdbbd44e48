#include "agent/mcp/era_bridge.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/mcp/json_scan.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

using nlohmann::json;
using types::v1::DenialReason;

ClientMessage FromClient(const std::string& text) {
  auto message = ScanClientMessage(text);
  REQUIRE(message.ok());
  return *std::move(message);
}
UpstreamMessage FromServer(const std::string& text) {
  auto message = ScanUpstreamMessage(text);
  REQUIRE(message.ok());
  return *std::move(message);
}

const BridgedClient kClient{.info = R"({"name":"c"})", .capabilities = R"({"roots":{}})"};
const std::string kEnvelope =
    R"("io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c"},)"
    R"("io.modelcontextprotocol/clientCapabilities":{"roots":{}})";

std::string Modern(const std::string& text, const CollectedInput* input = nullptr) {
  auto message = ToModern(FromClient(text), kClient, input);
  return message.ok() ? message->bytes : std::string(message.status().message());
}

TEST_CASE("a request gets the envelope and no other byte of it changes", "[agent][mcp]") {
  CHECK(Modern(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})") ==
        R"({"params":{"_meta":{)" + kEnvelope +
            R"(}},"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  CHECK(Modern(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}})") ==
        R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{)" + kEnvelope + "}}}");
  CHECK(
      Modern(
          R"({ "params" : {"name":"a", "arguments":{"n":12345678901234567890.0} },"jsonrpc":"2.0","id":"x","method":"tools/call"})") ==
      R"({ "params" : {"_meta":{)" + kEnvelope +
          R"(},"name":"a", "arguments":{"n":12345678901234567890.0} },"jsonrpc":"2.0","id":"x","method":"tools/call"})");
  CHECK(
      Modern(
          R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"x":1,"_meta":{"progressToken":7,"v/k":{}}}})") ==
      R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"x":1,"_meta":{)" + kEnvelope +
          R"(,"progressToken":7,"v/k":{}}}})");
  auto message = ToModern(FromClient(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})"), kClient);
  REQUIRE(message.ok());
  CHECK(message->era == Era::kModern);
}

TEST_CASE("what only a modern client can say does not pass from a legacy one", "[agent][mcp]") {
  CHECK(
      Modern(
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"inputResponses":{"a":{}},"name":"t","requestState":"s"}})") ==
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{)" + kEnvelope +
          R"(},"name":"t"}})");
  CHECK(Modern(R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"requestState":"s"}})") ==
        R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"_meta":{)" + kEnvelope + "}}}");
  CHECK(
      Modern(
          R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"_meta":{"io.modelcontextprotocol/logLevel":"debug"}}})") ==
      R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"_meta":{)" + kEnvelope + "}}}");
}

TEST_CASE("a request whose params or _meta is no object is refused", "[agent][mcp]") {
  for (const char* text : {R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":[1]})",
                           R"({"jsonrpc":"2.0","id":1,"method":"a/b","params":{"_meta":1}})"}) {
    auto scanned = ScanClientMessage(text);
    if (!scanned.ok()) continue;
    CHECK(ReasonOf(ToModern(*scanned, kClient).status()) ==
          DenialReason::DENIAL_REASON_MESSAGE_INVALID);
  }
}

TEST_CASE("a retry has another id, the answers and the state, and the level asked for",
          "[agent][mcp]") {
  const CollectedInput input{
      .responses = R"({"a":{"x":1e5}})", .state = R"("s\u0041")", .id = "\"r\""};
  CHECK(
      Modern(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}})", &input) ==
      R"({"jsonrpc":"2.0","id":"r","method":"tools/call","params":{"inputResponses":{"a":{"x":1e5}},"requestState":"s\u0041","_meta":{)" +
          kEnvelope + R"(},"name":"t"}})");
  BridgedClient logs = kClient;
  logs.log_level = "info";
  auto message = ToModern(FromClient(R"({"jsonrpc":"2.0","id":1,"method":"a/b"})"), logs);
  REQUIRE(message.ok());
  CHECK(json::parse(message->bytes)["params"]["_meta"]["io.modelcontextprotocol/logLevel"] ==
        "info");
}

TEST_CASE("a discovery is told as the result of initialize", "[agent][mcp]") {
  const ClientMessage initialize = FromClient(
      R"({"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{"name":"c"}}})");
  auto client = ReadBridgedClient(initialize);
  REQUIRE(client.ok());
  CHECK(client->info == kClient.info);
  CHECK(client->capabilities == kClient.capabilities);
  CHECK(json::parse(ToDiscover(initialize, *client)->bytes)["id"] == "i");
  Announced announced;
  auto result = ToInitializeResult(
      FromServer(
          R"({"jsonrpc":"2.0","id":"i","result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"extensions":{"x":{}},"prompts":{}},"instructions":"be kind","ttlMs":0,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}})"),
      initialize, announced);
  REQUIRE(result.ok());
  CHECK(
      json::parse(result->bytes) ==
      json::parse(
          R"({"jsonrpc":"2.0","id":"i","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"prompts":{}},"serverInfo":{"name":"s","version":"1"},"instructions":"be kind"}})"));
  CHECK(announced.tools);
  CHECK_FALSE(announced.prompts);
  for (
      const char* other :
      {R"({"jsonrpc":"2.0","id":"i","error":{"code":-32601,"message":"no"}})",
       R"({"jsonrpc":"2.0","id":"i","result":{}})",
       R"({"jsonrpc":"2.0","id":"i","result":{"supportedVersions":["2999-01-01"],"capabilities":{}}})",
       R"({"jsonrpc":"2.0","id":"i","result":{"supportedVersions":["2026-07-28"]}})"}) {
    CHECK(ReasonOf(ToInitializeResult(FromServer(other), initialize, announced).status()) ==
          DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  }
}

const ClientMessage kCall =
    *ScanClientMessage(R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"t"}})");

std::string Legacy(const std::string& text, const ClientMessage& request = kCall) {
  auto response = FromModern(FromServer(text), request);
  return response.ok() ? response->message.bytes : std::string(response.status().message());
}

TEST_CASE("a result loses what legacy clients do not know, and gets its request's id",
          "[agent][mcp]") {
  CHECK(Legacy(R"({"jsonrpc":"2.0","id":5,"result":{"content":[],"big":5e-324}})") ==
        R"({"jsonrpc":"2.0","id":5,"result":{"content":[],"big":5e-324}})");
  CHECK(
      Legacy(
          R"({"result":{"content":[],"resultType":"complete","ttlMs":0,"cacheScope":"private"},"jsonrpc":"2.0","id":"r"})") ==
      R"({"result":{"content":[]},"jsonrpc":"2.0","id":5})");
  CHECK(Legacy(R"({"jsonrpc":"2.0","id":5,"result":{"structuredContent":[1],"content":[]}})") ==
        R"({"jsonrpc":"2.0","id":5,"result":{"content":[]}})");
  CHECK(Legacy(R"({"jsonrpc":"2.0","id":5,"result":{"structuredContent":{"a":1},"content":[]}})") ==
        R"({"jsonrpc":"2.0","id":5,"result":{"structuredContent":{"a":1},"content":[]}})");
  CHECK(
      Legacy(
          R"({"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"a","outputSchema":{"type":"array"}},{"name":"b","outputSchema":{"type":"object"}}],"resultType":"complete"}})") ==
      R"({"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"a"},{"name":"b","outputSchema":{"type":"object"}}]}})");
  CHECK(Legacy(R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"task","taskId":"t"}})") ==
        "a result of a type that the client has not asked for");
}

TEST_CASE("errors keep their code, but for the resource that is not there", "[agent][mcp]") {
  const ClientMessage read =
      FromClient(R"({"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"x://a"}})");
  const std::string missing =
      R"({"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"no","data":{"uri":"x://a"}}})";
  CHECK(
      Legacy(missing, read) ==
      R"({"jsonrpc":"2.0","id":5,"error":{"code":-32002,"message":"no","data":{"uri":"x://a"}}})");
  CHECK(Legacy(missing) == missing);
  const std::string other = R"({"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"no"}})";
  CHECK(Legacy(other, read) == other);
}

TEST_CASE("what a server wants of the client becomes its requests", "[agent][mcp]") {
  auto response = FromModern(
      FromServer(
          R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","requestState":"s","inputRequests":{"a\u0041":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"mode":"url","url":"https://x"}}}}})"),
      kCall);
  REQUIRE(response.ok());
  CHECK(response->is_input_required);
  CHECK(response->state == "\"s\"");
  REQUIRE(response->inputs.size() == 2);
  CHECK(response->inputs[0].key == R"("a\u0041")");
  auto roots = ToServerRequest(response->inputs[0], "\"q\"");
  REQUIRE(roots.ok());
  CHECK(roots->bytes == R"({"jsonrpc":"2.0","id":"q","method":"roots/list"})");
  const json params = json::parse(ToServerRequest(response->inputs[1], "1")->bytes)["params"];
  CHECK(params["url"] == "https://x");
  // 2025-11-25 wants an id for it.
  CHECK(params["elicitationId"].get<std::string>().size() == 43);
  for (
      const char* bad :
      {R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","requestState":1}})",
       R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","inputRequests":[]}})",
       R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required"}})",
       R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","inputRequests":{}}})",
       R"({"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","inputRequests":{"a":{}}}})"}) {
    CHECK(ReasonOf(FromModern(FromServer(bad), kCall).status()) ==
          DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  }
}

TEST_CASE("a subscription's notifications lose its tag, its acknowledgement is not told",
          "[agent][mcp]") {
  auto updated = FromModern(FromServer(
      R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://a","_meta":{"io.modelcontextprotocol/subscriptionId":1,"v/k":2}}})"));
  REQUIRE(updated.has_value());
  CHECK(
      updated->bytes ==
      R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://a","_meta":{"v/k":2}}})");
  CHECK_FALSE(
      FromModern(
          FromServer(
              R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}})"))
          .has_value());
}

TEST_CASE("a listen names what is announced and subscribed to", "[agent][mcp]") {
  auto listen = ToListen("\"l\"", kClient, Announced{.tools = true}, {R"("x://a")", R"("x://b")"});
  REQUIRE(listen.ok());
  CHECK(json::parse(listen->bytes)["params"]["notifications"] ==
        json::parse(R"({"toolsListChanged":true,"resourceSubscriptions":["x://a","x://b"]})"));
}

TEST_CASE("the refusals of an initialize by a modern server are known", "[agent][mcp]") {
  const auto refused = [](const std::string& code) {
    return IsRefusalOfInitialize(
        FromServer(R"({"jsonrpc":"2.0","id":1,"error":{"code":)" + code + R"(,"message":"no"}})"));
  };
  CHECK(refused("-32601"));
  CHECK(refused("-32022"));
  CHECK_FALSE(refused("-32603"));
  CHECK_FALSE(IsRefusalOfInitialize(FromServer(R"({"jsonrpc":"2.0","id":1,"result":{}})")));
}

TEST_CASE("a client's level and its answers are read", "[agent][mcp]") {
  const auto level = [](const std::string& params) {
    return ReadLogLevel(FromClient(
        R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":)" + params + "}"));
  };
  CHECK(level(R"({"level":"warning"})") == "warning");
  CHECK_FALSE(level(R"({"level":"loud"})").has_value());
  CHECK_FALSE(level("{}").has_value());
  const ClientAnswer good =
      ReadAnswer(FromClient(R"({"jsonrpc":"2.0","id":1,"result":{"a":1.0}})"));
  CHECK_FALSE(good.is_error);
  CHECK(good.body == R"({"a":1.0})");
  const ClientAnswer bad =
      ReadAnswer(FromClient(R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}})"));
  CHECK(bad.is_error);
  CHECK(FailedBy(kCall, bad.body).bytes ==
        R"({"jsonrpc":"2.0","id":5,"error":{"code":-1,"message":"no"}})");
}

}  // namespace
}  // namespace sallyport::agent
