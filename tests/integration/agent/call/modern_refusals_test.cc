// What the agent refuses of the modern era, and that nothing of it reaches the server.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_MESSAGE_INVALID;
using types::v1::RECORD_TYPE_DENIAL;
using Ask = ModernClient::Ask;

TEST_CASE("a head that says another thing than its body is refused before anybody reads it",
          "[agent][modern]") {
  const auto spoil = GENERATE(
      +[](Ask& ask) { ask.version_field = ""; },
      +[](Ask& ask) { ask.version_field = "2025-11-25"; }, +[](Ask& ask) { ask.method_field = ""; },
      +[](Ask& ask) { ask.method_field = "tools/list"; },
      +[](Ask& ask) { ask.method_field = "TOOLS/CALL"; }, +[](Ask& ask) { ask.name_field = ""; },
      +[](Ask& ask) { ask.name_field = "get-x"; },
      +[](Ask& ask) { ask.name_field = "=?base64?ZWNobw?="; });
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  Ask ask = ModernClient::Call("echo");
  spoil(ask);
  const auto answer = client.Post(ask);
  CHECK(answer.status == 400);
  CHECK(Door::Message(answer)["error"]["code"] == -32020);
  CHECK(Door::Message(answer)["id"] == 1);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_MESSAGE_INVALID));
  CHECK(door.Seen() == 0);
}

TEST_CASE("arguments that a tool repeats in the head must be there as the body has them",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  const auto post = [&](const Json& arguments, const std::string& fields) {
    Ask ask = ModernClient::Call("echo", arguments);
    ask.more_fields = fields;
    return client.Post(ask);
  };
  for (const auto& [arguments, fields] : std::vector<std::pair<Json, std::string>>{
           {{{"region", "eu"}}, ""},
           {{{"region", "eu"}}, "Mcp-Param-Region: us\r\n"},
           {{{"region", "eu"}}, "Mcp-Param-Region: =?base64?ZXU?=\r\n"},
           {{{"limit", 42}}, "Mcp-Param-Limit: 43\r\n"},
           {{{"limit", 42}}, "Mcp-Param-Limit: 0x2a\r\n"},
           {Json::object(), "Mcp-Param-Region: eu\r\n"},
           {{{"region", nullptr}}, "Mcp-Param-Region: eu\r\n"}}) {
    INFO(arguments.dump() << " " << fields);
    const auto answer = post(arguments, fields);
    CHECK(answer.status == 400);
    CHECK(Door::Message(answer)["error"]["code"] == -32020);
  }
  // Two of one name could be read either way.
  CHECK(post({{"region", "eu"}}, "Mcp-Param-Region: eu\r\nMcp-Param-Region: us\r\n").status == 400);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_MESSAGE_INVALID));
  CHECK(door.Seen("tools/call") == 0);
  CHECK(post({{"region", "eu"}}, "Mcp-Param-Region: eu\r\n").status == 200);
}

TEST_CASE("a modern request without its envelope is refused", "[agent][modern]") {
  const auto [body, code] = GENERATE(table<std::string, int>({
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}})",
       -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})",
       -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]}}})",
       -32602},
      {R"({"jsonrpc":"2.0","id":1,"result":{}})", -32600},
  }));
  Door door(ServerEras::kModern);
  const auto answer =
      door.Send({.token = door.control.Token("bot"),
                 .body = body,
                 .more_fields = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n"});
  CHECK(answer.status == 400);
  CHECK(Door::Message(answer)["error"]["code"] == code);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_MESSAGE_INVALID));
  CHECK(door.Seen() == 0);
}

TEST_CASE("a version that nobody serves is answered with those that are", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  const auto answer = client.Post({.method = "server/discover", .version = "2099-01-01"});
  CHECK(answer.status == 400);
  const Json error = Door::Message(answer)["error"];
  CHECK(error["code"] == -32022);
  CHECK(error["data"] == Json({{"supported", {"2026-07-28"}}, {"requested", "2099-01-01"}}));
  CHECK(door.Seen() == 0);
}

TEST_CASE("without a valid token a modern request gets a challenge and nothing else",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  Door::Request request = client.Make(ModernClient::Call("echo"));
  request.token.clear();
  CHECK(door.Send(request).status == 401);
  request.token = door.control.Token("bot", -absl::Minutes(5));
  const auto expired = door.Send(request);
  CHECK(expired.status == 401);
  CHECK(expired.challenge.find("invalid_token") != std::string::npos);
  CHECK(door.Seen() == 0);
}

TEST_CASE("methods that this era has not, or that policy does not name, are not found",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  for (const char* method : {"initialize", "ping", "logging/setLevel", "resources/subscribe",
                             "resources/unsubscribe", "tasks/list", "tasks/result", "x/y"}) {
    INFO(method);
    const auto answer = client.Post({.method = method, .params = {{"uri", "file:///public/a"}}});
    CHECK(answer.status == 404);
    CHECK(Door::Message(answer)["error"]["code"] == -32601);
    CHECK(door.Seen(method) == 0);
  }
}

TEST_CASE("an unknown method that policy names passes", "[agent][modern]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules: [{allow: {methods: ["vendor/*"]}}]
)",
            false, "", ServerEras::kModern);
  const ModernClient client(door);
  CHECK(Door::Message(client.Post({.method = "vendor/x"}))["result"]["resultType"] == "complete");
  CHECK(client.Post({.method = "other/x"}).status == 404);
  CHECK(door.Seen("other/x") == 0);
}

TEST_CASE("what policy denies is refused in the words of this era", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  const auto hidden = client.Post(ModernClient::Call("secret"));
  CHECK(hidden.status == 200);
  CHECK(Door::Message(hidden)["error"]["code"] == -32602);
  CHECK(Door::Message(hidden)["error"]["message"] == "Unknown tool: secret");
  const Json dropped = Door::Message(client.Post(ModernClient::Call("drop-all")))["result"];
  CHECK(dropped["isError"] == true);
  CHECK(dropped["resultType"] == "complete");
  CHECK(dropped["_meta"]["reason"] == "policy_denied");
  const auto unread = client.Post(ModernClient::Read("file:///secret/a"));
  CHECK(unread.status == 200);
  CHECK(Door::Message(unread).contains("error"));
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, types::v1::DENIAL_REASON_POLICY_DENIED));
  CHECK(door.Seen("tools/call") == 0);
  CHECK(door.Seen("resources/read") == 0);
}

TEST_CASE("a cancellation of this era is the end of its stream, not a message", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  REQUIRE(client.Post(ModernClient::Call("echo")).status == 200);
  const auto answer = door.Send(
      {.token = client.token(),
       .body = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
       .more_fields = "MCP-Protocol-Version: 2026-07-28\r\n"});
  CHECK(answer.status == 202);
  CHECK(door.Seen("notifications/cancelled") == 0);
}

TEST_CASE("a notification that is refused is told so by HTTP, and recorded", "[agent][modern]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - deny: {methods: ["own/*"]}
    - require_approval: {methods: ["ask/*"], approvers: ["okta:approvers"]}
)",
            false, "", ServerEras::kModern);
  const ModernClient client(door);
  const auto tell = [&](const std::string& method) {
    Door::Request request = client.Make({.method = method});
    Json body = Json::parse(request.body);
    body.erase("id");
    request.body = body.dump();
    return door.Send(request);
  };
  const auto unknown = tell("nobody/knows");
  CHECK(unknown.status == 404);
  CHECK(Json::parse(unknown.body)["error"]["code"] == -32601);
  CHECK(Json::parse(unknown.body)["id"].is_null());
  const auto denied = tell("own/thing");
  CHECK(denied.status == 403);
  CHECK(Json::parse(denied.body)["error"]["data"]["reason"] == "policy_denied");
  CHECK(tell("ask/thing").status == 403);
  for (const char* method : {"nobody/knows", "own/thing", "ask/thing"}) {
    CHECK(door.control.AwaitContent(RECORD_TYPE_DENIAL, [&](const auto& content) {
      return content.method() == method && !content.detail().empty();
    }));
    CHECK(door.Seen(method) == 0);
  }
}

TEST_CASE("a server that lists its tools without end keeps a call for ten seconds at most",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    std::this_thread::sleep_for(std::chrono::seconds(4));
    const Json result = {
        {"resultType", "complete"}, {"tools", Json::array()}, {"nextCursor", "more"}};
    return RawHttpServer::Reply{
        .bytes =
            JsonReply(Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
  });
  const ModernClient client(door);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(Door::Message(client.Post(ModernClient::Call("echo")))["result"].contains("content"));
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(14));
}

TEST_CASE("a session that has ended gives a modern client a new one to be judged anew",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const ModernClient client(door);
  CHECK(Door::Message(client.Post(ModernClient::Call("echo")))["result"].contains("content"));
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
  CHECK(end->calls == 1);
  door.control.set_opener([](const auto&) {
    return FakeControlPlane::Denial(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "no more today");
  });
  const Json again = Door::Message(client.Post(ModernClient::Call("echo")));
  CHECK(again["result"]["_meta"]["reason"] == "limit_exceeded");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a server that refuses the agent's credential is not taken for a legacy one",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "server/discover") return std::nullopt;
    return RawHttpServer::Reply{.bytes = HttpReply(403, "text/plain", "no")};
  });
  const auto refused = client.Post(ModernClient::Call("echo"));
  CHECK(Door::Message(refused)["error"]["code"] != -32022);
  CHECK(refused.body.find("upstream_invalid: the server answered HTTP 403: it refuses the agent's "
                          "credential") != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);
  door.set_awkward(nullptr);
  CHECK(Door::Message(client.Post(ModernClient::Call("echo")))["result"].contains("content"));
}

// The server's first answer to server/discover is this one.
void DiscoverFirst(Door& door, const std::string& reply) {
  door.set_awkward([reply, was_asked = std::make_shared<bool>(false)](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "server/discover" || std::exchange(*was_asked, true))
      return std::nullopt;
    return RawHttpServer::Reply{.bytes = reply};
  });
}

TEST_CASE("a server that once did not say what it speaks is asked again by the next session",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  DiscoverFirst(door, HttpReply(404, "text/plain", ""));
  const ModernClient client(door);
  for (int i = 0; i < 2; ++i) {
    CHECK(Door::Message(client.Post(ModernClient::Call("echo")))["error"]["code"] == -32022);
  }
  CHECK(door.Seen("server/discover") == 1);
  const ModernClient other(door, "other");
  CHECK(Door::Message(other.Post(ModernClient::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a server that said it was legacy is modern again once a legacy session finds it so",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  DiscoverFirst(door, JsonReply(R"({"jsonrpc":"2.0","id":"sallyport-discover",)"
                                R"("error":{"code":-32601,"message":"unknown method"}})"));
  const ModernClient client(door);
  const ModernClient other(door, "other");
  for (const ModernClient* one : {&client, &other}) {
    CHECK(Door::Message(one->Post(ModernClient::Call("echo")))["error"]["code"] == -32022);
  }
  CHECK(door.Seen("server/discover") == 1);
  REQUIRE_FALSE(door.Connect("third").session_id.empty());
  for (const ModernClient* one : {&client, &other}) {
    CHECK(Door::Message(one->Post(ModernClient::Call("echo")))["result"].contains("content"));
  }
}

}  // namespace
}  // namespace sallyport
