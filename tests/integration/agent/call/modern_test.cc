// The modern era as a client sees it through the agent: what passes, and what the server gets.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_UNSPECIFIED;
using types::v1::RECORD_TYPE_OUTCOME;

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a modern call passes, with a head built anew from its body", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  ModernClient::Ask ask = ModernClient::Call("echo", {{"region", "zürich"}, {"limit", 42}});
  ask.session_id = "stray";
  ask.more_fields =
      "Mcp-Param-Region: =?base64?esO8cmljaA==?=\r\nMcp-Param-Limit: 42.0\r\n"
      "Mcp-Param-Unknown: x\r\nX-Own: x\r\nLast-Event-ID: 7\r\n";
  const auto answer = client.Post(ask);
  CHECK(answer.status == 200);
  CHECK(answer.session_id.empty());
  const Json message = Door::Message(answer);
  CHECK(message["id"] == 1);
  CHECK(message["result"]["resultType"] == "complete");
  CHECK(message["result"]["content"][0]["text"] == R"(did {"limit":42,"region":"zürich"})");

  REQUIRE(door.Requests("tools/call").size() == 1);
  const std::string request = door.Requests("tools/call").front();
  CHECK(Holds(request, "MCP-Protocol-Version: 2026-07-28\r\n"));
  CHECK(Holds(request, "Mcp-Method: tools/call\r\n"));
  CHECK(Holds(request, "Mcp-Name: echo\r\n"));
  CHECK(Holds(request, "mcp-param-region: =?base64?esO8cmljaA==?=\r\n"));
  CHECK(Holds(request, "mcp-param-limit: 42\r\n"));
  for (const char* none : {"Mcp-Session-Id", "stray", "X-Own", "param-unknown", "Last-Event-ID"}) {
    INFO(none);
    CHECK_FALSE(Holds(request, none));
  }
  CHECK_FALSE(door.SawText(client.token()));
  CHECK(door.Seen("initialize") == 0);
}

TEST_CASE("modern clients of one principal share its session and the server's era is asked once",
          "[agent][modern]") {
  Door door(ServerEras::kBoth);
  const ModernClient one(door), two(door), other(door, "other-bot");
  for (const ModernClient* client : {&one, &two, &one}) {
    CHECK(client->Post(ModernClient::Call("echo")).status == 200);
  }
  CHECK(door.control.opens() == 1);
  CHECK(door.Seen("server/discover") == 1);
  CHECK(door.Seen("tools/list") == 1);
  CHECK(other.Post(ModernClient::Call("echo")).status == 200);
  CHECK(door.control.opens() == 2);
  // A legacy client of the first one's is beside them in the same session.
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
  CHECK(door.control.opens() == 2);
}

TEST_CASE("the same id from many clients at once is each one's own", "[agent][modern]") {
  constexpr int kClients = 8;
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  REQUIRE(client.Post(ModernClient::Call("echo")).status == 200);
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call") gone.wait();
        return std::nullopt;
      });
  std::vector<std::unique_ptr<HttpClient>> calls;
  for (int i = 0; i < kClients; ++i) {
    calls.push_back(client.Send(ModernClient::Call("echo", {{"n", i}})));
  }
  CHECK(door.AwaitRequests("tools/call", kClients + 1));
  go.set_value();
  for (int i = 0; i < kClients; ++i) {
    const Json message = Door::Message(calls[static_cast<std::size_t>(i)]->Read());
    CHECK(message["id"] == 1);
    CHECK(message["result"]["content"][0]["text"] == "did {\"n\":" + std::to_string(i) + "}");
  }
}

TEST_CASE("discovery and lists are the caller's own, and kept no longer than its session",
          "[agent][modern]") {
  Door door(ServerEras::kBoth);
  const ModernClient client(door);
  const Json discovered = Door::Message(client.Post({.method = "server/discover"}))["result"];
  CHECK(discovered["supportedVersions"] == Json({"2026-07-28", "2025-11-25"}));
  CHECK(discovered["capabilities"].contains("tools"));
  CHECK_FALSE(discovered["capabilities"].contains("prompts"));
  const Json tools = Door::Message(client.Post({.method = "tools/list"}))["result"];
  REQUIRE(tools["tools"].size() == 1);
  CHECK(tools["tools"][0]["name"] == "echo");
  const Json read = Door::Message(client.Post(ModernClient::Read("file:///public/a")))["result"];
  CHECK(read["contents"][0]["text"] == "words");
  for (const Json& result : {discovered, tools, read}) {
    CHECK(result["cacheScope"] == "private");
    CHECK(result["ttlMs"] <= 600'000);
    CHECK(result["ttlMs"] > 500'000);
  }
}

TEST_CASE("the server is told of those of the client's capabilities that policy allows",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  ModernClient::Ask ask = ModernClient::Call("echo");
  ask.capabilities = {{"sampling", Json::object()},
                      {"elicitation", {{"form", Json::object()}}},
                      {"roots", Json::object()},
                      {"experimental", {{"x", 1}}}};
  CHECK(client.Post(ask).status == 200);
  const std::string request = door.Requests("tools/call").front();
  const Json body = Json::parse(request.substr(request.find("\r\n\r\n") + 4));
  CHECK(body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] ==
        Json({{"elicitation", {{"form", Json::object()}}}, {"experimental", {{"x", 1}}}}));
}

TEST_CASE("closing the stream cancels the call at its server", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  REQUIRE(client.Post(ModernClient::Call("echo")).status == 200);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return EventsOf({{{"jsonrpc", "2.0"},
                      {"method", "notifications/progress"},
                      {"params", {{"progressToken", "t"}, {"progress", 1}}}}},
                    false);
  });
  {
    ModernClient::Ask ask = ModernClient::Call("echo");
    ask.more_meta = {{"progressToken", "t"}};
    const auto call = client.Send(ask);
    CHECK(call->ReadUntil("notifications/progress").is_stream());
  }
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, DENIAL_REASON_UNSPECIFIED, "cancelled"));
  // The connection to the server is closed, which is what tells it.
  CHECK(door.AwaitOpenConnections(0));
  CHECK(door.Seen("notifications/cancelled") == 0);
  CHECK(door.Seen("tools/call") == 2);
}

TEST_CASE("a call whose client has gone before anything came back is cancelled as well",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  REQUIRE(client.Post(ModernClient::Call("echo")).status == 200);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.closes = true, .waits = true};
  });
  {
    const auto call = client.Send(ModernClient::Call("echo"));
    REQUIRE(door.AwaitRequests("tools/call", 2));
  }
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, DENIAL_REASON_UNSPECIFIED, "cancelled"));
  CHECK(door.AwaitOpenConnections(0));
}

TEST_CASE("that a server cancels a request is kept from its clients", "[agent][modern]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return EventsOf({{{"jsonrpc", "2.0"},
                      {"method", "notifications/cancelled"},
                      {"params", {{"requestId", "another"}}}},
                     {{"jsonrpc", "2.0"},
                      {"id", message["id"]},
                      {"result", {{"resultType", "complete"}, {"content", Json::array()}}}}});
  });
  const ModernClient client(door);
  const auto answer = client.Post(ModernClient::Call("echo"));
  CHECK(answer.body.find("notifications/cancelled") == std::string::npos);
  CHECK(Door::Message(answer)["result"]["resultType"] == "complete");
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_POLICY_DENIED));
}

TEST_CASE("a call whose client has gone before it was sent is not sent", "[agent][modern]") {
  Door door(ServerEras::kModern);
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "server/discover") gone.wait();
        return std::nullopt;
      });
  const ModernClient client(door);
  {
    const auto call = client.Send(ModernClient::Call("echo"));
    REQUIRE(door.AwaitRequests("server/discover", 1));
  }
  // The agent has seen it go once it answers others.
  CHECK(door.Send({.method = "GET", .target = "/"}).status == 404);
  go.set_value();
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, DENIAL_REASON_UNSPECIFIED, "cancelled"));
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a server that is lost in a call answers it with upstream_lost, and the next one goes on",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  REQUIRE(client.Post(ModernClient::Call("echo")).status == 200);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.closes = true};
  });
  const Json lost = Door::Message(client.Post(ModernClient::Call("echo")))["result"];
  CHECK(lost["isError"] == true);
  CHECK(lost["resultType"] == "complete");
  CHECK(lost["_meta"]["reason"] == "upstream_lost");
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, types::v1::DENIAL_REASON_UPSTREAM_LOST,
                                 "unknown"));
  CHECK(door.Seen("tools/call") == 2);  // nothing is sent twice
  door.set_awkward(nullptr);
  CHECK(Door::Message(client.Post(ModernClient::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a modern client before a legacy server is told so and falls back to initialize",
          "[agent][modern]") {
  Door door(ServerEras::kLegacy);
  const ModernClient client(door);
  for (int i = 0; i < 2; ++i) {
    const auto refused = client.Post({.method = "server/discover", .id = "d"});
    CHECK(refused.status == 400);
    const Json message = Door::Message(refused);
    CHECK(message["id"] == "d");
    CHECK(message["error"]["code"] == -32022);
    CHECK(message["error"]["data"] ==
          Json({{"supported", {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}},
                {"requested", "2026-07-28"}}));
  }
  CHECK(door.Seen("server/discover") == 1);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_VERSION_UNSUPPORTED));
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a server has nothing to ask in this era: it gets no answer, its client no question",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  REQUIRE(client.Post(ModernClient::Call("echo")).status == 200);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return EventsOf({{{"jsonrpc", "2.0"}, {"id", "s1"}, {"method", "elicitation/create"}},
                     {{"jsonrpc", "2.0"}, {"id", "s2"}, {"method", "ping"}},
                     {{"jsonrpc", "2.0"},
                      {"id", message["id"]},
                      {"result", {{"content", Json::array()}, {"resultType", "complete"}}}}});
  });
  ModernClient::Ask ask = ModernClient::Call("echo");
  ask.capabilities = {{"elicitation", Json::object()}};
  const auto answer = client.Post(ask);
  CHECK(Door::Message(answer)["result"].contains("content"));
  CHECK_FALSE(Holds(answer.body, "elicitation"));
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_UPSTREAM_INVALID));
  CHECK_FALSE(door.SawText("\"s1\""));
  CHECK_FALSE(door.SawText("\"s2\""));
}

}  // namespace
}  // namespace sallyport
