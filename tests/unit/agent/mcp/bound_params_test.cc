#include "agent/mcp/bound_params.h"

#include <catch2/catch.hpp>

#include "agent/mcp/modern_request.h"
#include "common/denial.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

ClientMessage Legacy(const std::string& method, const std::string& params) {
  return FromClient(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params +
                    "}");
}
std::string OfLegacy(const std::string& method, const std::string& params) {
  return *OtherParams(Legacy(method, params));
}
std::string OfModern(const std::string& method, const std::string& params) {
  return *OtherParams(FromClient(ModernRequest(method, params)));
}
std::string OfMeta(const std::string& meta) {
  return OfLegacy("tools/call", R"({"name":"a","_meta":)" + meta + "}");
}

TEST_CASE("only the member that is the target or the arguments is said elsewhere", "[agent][mcp]") {
  CHECK(OfLegacy("tools/call", R"({"name":"a","arguments":{"b":1}})").empty());
  CHECK(OfLegacy("prompts/get", R"({"name":"a","arguments":{"b":1}})").empty());
  CHECK(OfLegacy("resources/read", R"({"uri":"file:///a"})").empty());
  CHECK(OfModern("tools/call", R"("name":"a","arguments":{"b":1})").empty());
  CHECK(OfLegacy("tools/call", R"({"name":"a","uri":"u","ref":{"name":"b"},"requestState":"s"})") ==
        R"({"ref":{"name":"b"},"requestState":"s","uri":"u"})");
  CHECK(OfLegacy("resources/read", R"({"uri":"u","name":"n","arguments":{"a":1},"ref":1})") ==
        R"({"arguments":{"a":1},"name":"n","ref":1})");
  CHECK(OfModern("resources/read", R"("uri":"u","name":"n","arguments":{"a":1})") ==
        R"({"arguments":{"a":1},"name":"n"})");
  CHECK(OfLegacy("completion/complete",
                 R"({"ref":{"type":"ref/prompt","name":"p","title":"t"},"argument":{}})") ==
        R"({"argument":{},"ref":{"name":"p","title":"t","type":"ref/prompt"}})");
  CHECK(OfLegacy("vendor/do", R"({"name":"n","uri":"u","arguments":{},"ref":1})") ==
        R"({"arguments":{},"name":"n","ref":1,"uri":"u"})");
}

TEST_CASE("of _meta only the ids of one try are left out, and only in their own form",
          "[agent][mcp]") {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  CHECK(OfMeta(R"({"progressToken":1,"tracestate":"a=b","traceparent":")" + trace + "\"}").empty());
  for (const std::string meta :
       {R"({"baggage":"dry-run=false"})", R"({"traceparent":"00-1"})", R"({"traceparent":{"a":1}})",
        R"({"tracestate":["x"]})", R"({"io.modelcontextprotocol/x":"a"})",
        R"({"io.modelcontextprotocol/clientInfo":{"name":"x"}})", R"({"vendor/force":true})"}) {
    CHECK(OfMeta(meta) == R"({"_meta":)" + meta + "}");
  }
  CHECK(OfMeta(R"({"tracestate":")" + std::string(513, 'x') + "\"}").size() > 513);
}

TEST_CASE("a modern request's state and envelope are not the call's", "[agent][mcp]") {
  const auto call = [](const std::string& params, const std::string& meta = "") {
    return FromClient(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a",)" + params +
        R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)" + meta +
        R"("io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{}}}})");
  };
  CHECK(OtherParams(call(R"("requestState":"s","inputResponses":{},)"))->empty());
  CHECK(*OtherParams(call("", R"("io.modelcontextprotocol/logLevel":"debug",)")) ==
        R"({"_meta":{"io.modelcontextprotocol/logLevel":"debug"}})");
  const ClientMessage retry = call(R"("x":1,"inputResponses":{"q":{"b":1,"a":2}},)");
  CHECK(*OtherParams(retry) == R"({"inputResponses":{"q":{"a":2,"b":1}},"x":1})");
  CHECK(*ParamsOfAllRounds(retry) == R"({"x":1})");
  // Members like any other in the legacy era.
  CHECK(OfLegacy("tools/call", R"({"name":"a","inputResponses":{}})") ==
        R"({"inputResponses":{}})");
}

TEST_CASE("the envelope is what a client says of itself, and what JSON-RPC does not know",
          "[agent][mcp]") {
  const auto envelope = [](const std::string& beside, const std::string& info,
                           const std::string& capabilities) {
    return *CallEnvelope(FromClient(
        R"({"jsonrpc":"2.0","id":1,)" + beside +
        R"("method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":)" +
        info + R"(,"io.modelcontextprotocol/clientCapabilities":)" + capabilities + "}}}"));
  };
  const std::string plain = envelope("", R"({"name":"c"})", "{}");
  CHECK(plain == envelope("", R"( { "name" : "\u0063" } )", "{ }"));
  CHECK(plain != envelope("", R"({"name":"d"})", "{}"));
  CHECK(plain != envelope("", R"({"name":"c"})", R"({"experimental":{"x":1}})"));
  CHECK(plain != envelope(R"("more":1,)", R"({"name":"c"})", "{}"));
  CHECK(*CallEnvelope(Legacy("ping", "{}")) == "\n");
}

TEST_CASE("a narrowed request has the envelope that its client wrote", "[agent][mcp]") {
  const ClientMessage whole = FromClient(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{},"sampling":{}}}}})");
  const auto narrowed = [](const ClientMessage& message, bool roots) {
    return *NarrowModernRequest(message, {.client = {.roots = roots},
                                          .may_hear_of = [](std::string_view) { return true; },
                                          .has_task = [](std::string_view) { return true; },
                                          .request_state = std::nullopt});
  };
  const ClientMessage once = narrowed(whole, true);
  const ClientMessage twice = narrowed(once, false);
  CHECK(once.bytes != whole.bytes);
  CHECK(twice.bytes != once.bytes);
  CHECK(*CallEnvelope(once) == *CallEnvelope(whole));
  CHECK(*CallEnvelope(twice) == *CallEnvelope(whole));
}

TEST_CASE("a message with members that nobody could be shown is not decided on", "[agent][mcp]") {
  CHECK(CheckIsAllShown(Legacy("tools/call", R"({"name":"a"})")).ok());
  const ClientMessage more =
      FromClient(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"dry":1})");
  CHECK(ReasonOf(CheckIsAllShown(more)) == types::v1::DENIAL_REASON_MESSAGE_INVALID);
}

}  // namespace
}  // namespace sallyport::agent
