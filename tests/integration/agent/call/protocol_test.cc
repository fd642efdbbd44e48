// The protocol as a client sees it through the agent.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

TEST_CASE("initialize gives the server's words without what policy or we do not serve",
          "[agent][call]") {
  Door door;
  const auto answer =
      door.Send({.token = door.control.Token("bot"),
                 .body = Door::Initialize(R"({"sampling":{},"elicitation":{},"tasks":{}})")});
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "application/json");
  CHECK(answer.session_id != "upstream-session");
  Json result = Json::parse(answer.body)["result"];
  CHECK(result["protocolVersion"] == "2025-11-25");
  CHECK(result["instructions"] == "be nice");
  CHECK(result["capabilities"].contains("tools"));
  CHECK(result["capabilities"].contains("logging"));
  CHECK_FALSE(result["capabilities"].contains("tasks"));
  CHECK_FALSE(result["capabilities"].contains("prompts"));
  CHECK_FALSE(result["capabilities"]["resources"].contains("subscribe"));
  CHECK(door.SawText("elicitation"));
  CHECK_FALSE(door.SawText("sampling"));
}

TEST_CASE("a version we do not serve is answered with our latest", "[agent][call]") {
  Door door;
  const auto [asked, given] =
      GENERATE(std::pair("2025-03-26", "2025-03-26"), std::pair("2025-06-18", "2025-06-18"),
               std::pair("2024-11-05", "2024-11-05"), std::pair("1999-01-01", "2025-11-25"));
  const auto answer =
      door.Send({.token = door.control.Token("bot"), .body = Door::Initialize("{}", asked)});
  CHECK(Json::parse(answer.body)["result"]["protocolVersion"] == given);
}

TEST_CASE("a server is told its version in a header where the revision has that header",
          "[agent][call]") {
  Door door;
  for (const auto& [version, is_told] :
       {std::pair("2024-11-05", false), {"2025-03-26", false}, {"2025-06-18", true}}) {
    const std::string token = door.control.Token("bot");
    const auto answer = door.Send({.token = token, .body = Door::Initialize("{}", version)});
    const Door::Bot bot{&door, token, answer.session_id};
    CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
    CHECK(door.SawText(std::string("MCP-Protocol-Version: ") + version) == is_told);
  }
}

TEST_CASE("lists show what the caller could use", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  Json tools = Door::Message(
      bot.Post(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})"))["result"]["tools"];
  CHECK(tools == Json::parse(R"([{"name":"echo"},{"name":"delete"}])"));
}

TEST_CASE("ids come back as they were sent", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  for (const char* id : {"0", "\"five\"", "\"\"", "9007199254740991", "-3"}) {
    const auto answer = bot.Post(std::string(R"({"jsonrpc":"2.0","id":)") + id +
                                 R"(,"method":"tools/call","params":{"name":"echo"}})");
    CHECK(Door::Message(answer)["id"] == Json::parse(id));
  }
}

TEST_CASE("a session id is missing: 400; unknown or deleted: 404; twice initialized: an error",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const Door::Bot other = door.Connect();
  CHECK(door.Send({.token = bot.token, .body = Door::Call("echo")}).status == 400);
  CHECK(door.Send({.token = bot.token, .session_id = "no-such-session", .body = Door::Call("echo")})
            .status == 404);
  CHECK(Door::Message(bot.Post(Door::Initialize()))["error"]["code"] == -32600);
  CHECK(bot.Delete().status == 204);
  const auto late = bot.Post(Door::Call("echo"));
  CHECK(late.status == 404);
  CHECK(Json::parse(late.body)["reason"] == "session_ended");
  CHECK(bot.Delete().status == 404);
  CHECK(Door::Message(other.Post(Door::Call("echo")))["result"].contains("content"));
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("another principal with the first one's MCP session id gets what an unknown id gets",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect("bot");
  const std::string thief = door.control.Token("thief");
  for (const char* method : {"POST", "GET", "DELETE"}) {
    const auto stolen = door.Send({.method = method,
                                   .token = thief,
                                   .session_id = bot.session_id,
                                   .body = Door::Call("echo")});
    const auto unknown = door.Send({.method = method,
                                    .token = thief,
                                    .session_id = "no-such-session",
                                    .body = Door::Call("echo")});
    CHECK(stolen.status == 404);
    CHECK(stolen.body == unknown.body);
  }
  CHECK(door.Seen("tools/call") == 0);
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("HTTP methods that are none of ours get 405 and what is allowed", "[agent][call]") {
  Door door;
  const auto answer = door.Send({.method = "PUT", .token = door.control.Token("bot")});
  CHECK(answer.status == 405);
  CHECK(answer.allow == "GET, POST, DELETE");
  const auto head = door.Send({.method = "HEAD", .token = door.control.Token("bot")});
  CHECK(head.status == 405);
  CHECK(head.allow == "GET, POST, DELETE");
}

TEST_CASE("HEAD is answered where GET is, by the same head without the body", "[agent][call]") {
  Door door;
  const auto ask = [](int port, const std::string& method, const std::string& path) {
    HttpClient client(port);
    client.Send(method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                "\r\nConnection: close\r\n\r\n");
    return client.ReadBytes();
  };
  struct Place {
    int port;
    const char* path;
    const char* status;
  };
  const int port = door.agent->port(), local = door.agent->local_port();
  const std::string metadata = "/.well-known/oauth-protected-resource";
  for (const auto& [at, path, status] :
       {Place{port, "/.well-known/oauth-protected-resource", "200"},
        Place{port, "/.well-known/oauth-protected-resource/wiki/mcp", "200"},
        Place{port, "/.well-known/oauth-protected-resource/wiki", "404"},
        Place{local, "/healthz", "200"}, Place{local, "/readyz", "200"},
        Place{local, "/nothing", "404"}}) {
    INFO(path);
    const std::string got = ask(at, "GET", path);
    const std::string head = got.substr(0, got.find("\r\n\r\n") + 4);
    CHECK(head.starts_with(std::string("HTTP/1.1 ") + status));
    CHECK(ask(at, "HEAD", path) == head);
  }
  const std::string metrics = ask(local, "HEAD", "/metrics");
  CHECK(metrics.starts_with("HTTP/1.1 200 "));
  CHECK(metrics.ends_with("\r\n\r\n"));
  for (const std::string& refused : {ask(port, "PUT", metadata), ask(local, "POST", "/healthz")}) {
    CHECK(refused.starts_with("HTTP/1.1 405 "));
    CHECK(refused.find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  }
  const auto status = [&](const std::string& scheme) {
    return ask(local, "GET", scheme + "://127.0.0.1:" + std::to_string(local) + "/healthz")
        .substr(0, 13);
  };
  CHECK(status("http") == "HTTP/1.1 200 ");
  CHECK(status("https") == "HTTP/1.1 421 ");
}

TEST_CASE("only the exact path is a server's", "[agent][call]") {
  Door door;
  const std::string token = door.control.Token("bot");
  for (const char* path : {"//wiki/mcp", "/wiki/mcp/", "/./wiki/mcp", "/%77iki/mcp", "/wiki/mcp;x",
                           "/WIKI/mcp", "/wiki/MCP", "/", "/wiki"}) {
    CHECK(door.Send({.target = path, .token = token, .body = Door::Initialize()}).status == 404);
  }
  CHECK(door.Seen() == 0);
}

TEST_CASE("the metadata is the same for every well-formed name", "[agent][call]") {
  Door door;
  const auto known =
      door.Send({.method = "GET", .target = "/.well-known/oauth-protected-resource/wiki/mcp"});
  const auto unknown =
      door.Send({.method = "GET", .target = "/.well-known/oauth-protected-resource/nope/mcp"});
  CHECK(known.status == 200);
  Json metadata = Json::parse(known.body);
  CHECK(metadata["resource"] == "http://" + door.agent->authority() + "/wiki/mcp");
  CHECK(metadata["authorization_servers"] == Json::array({FakeControlPlane::kIssuer}));
  CHECK(metadata["bearer_methods_supported"] == Json::array({"header"}));
  Json other = Json::parse(unknown.body);
  other["resource"] = metadata["resource"];
  CHECK(other == metadata);
}

TEST_CASE("requests that a client sends ahead are answered in order on one connection",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  HttpClient client(door.agent->port());
  std::string bytes;
  for (int id = 1; id <= 5; ++id)
    bytes += door.Bytes(
        {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", id)});
  client.Send(bytes);
  for (int id = 1; id <= 5; ++id) CHECK(Door::Message(client.Read())["id"] == id);
}

TEST_CASE("an id that is in flight is refused", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call") gone.wait();
        return std::nullopt;
      });
  HttpClient first(door.agent->port());
  first.Send(door.Bytes({.token = bot.token,
                         .session_id = bot.session_id,
                         .body = Door::Call("echo", R"({"n":1})", 7)}));
  while (door.Seen("tools/call") == 0) std::this_thread::yield();
  CHECK(Door::Message(bot.Post(Door::Call("echo", R"({"n":2})", 7)))["error"]["code"] == -32600);
  go.set_value();
  CHECK(Door::Message(first.Read())["result"]["content"][0]["text"] == "did {\"n\":1}");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("what comes before the answer makes it a stream", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(
        R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":0,"progress":1}})",
        message["id"]);
  });
  const auto answer = bot.Post(Door::Call("echo"));
  CHECK(answer.is_stream());
  CHECK(
      answer.body.find(
          R"(data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":0,"progress":1}})") !=
      std::string::npos);
  CHECK(Door::Message(answer)["id"] == 1);
}

TEST_CASE("a server asks the client only what policy and the client allow", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect("bot", R"({"elicitation":{},"sampling":{}})");
  const auto ask = [&](const std::string& method) {
    door.set_awkward([method](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      return Streamed(R"({"jsonrpc":"2.0","id":"s1","method":")" + method + R"(","params":{}})",
                      message["id"]);
    });
    return bot.Post(Door::Call("echo"));
  };
  CHECK(ask("sampling/createMessage").body.find("sampling") == std::string::npos);
  CHECK(door.SawText("-32601"));
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_POLICY_DENIED));
  CHECK(ask("elicitation/create").body.find("elicitation/create") != std::string::npos);
  CHECK(bot.Post(R"({"jsonrpc":"2.0","id":"s1","result":{"action":"accept"}})").status == 202);
  CHECK(door.SawText("\"accept\""));
  CHECK(bot.Post(R"({"jsonrpc":"2.0","id":"s1","result":{"action":"again"}})").status == 400);
  CHECK(bot.Post(R"({"jsonrpc":"2.0","id":"never","result":{"action":"injected"}})").status == 400);
  CHECK_FALSE(door.SawText("again"));
  CHECK_FALSE(door.SawText("injected"));
}

TEST_CASE("a server asks the client in no way that it has not declared", "[agent][call]") {
  std::string policy = kPolicy;
  policy.replace(policy.find("[elicitation]"), 13, "[elicitation, sampling]");
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", policy);
  // Whether its client is asked; if not, the server has the answer `code`.
  int asked = 0;
  const auto ask = [&](const std::string& capabilities, const std::string& method,
                       const std::string& params, int code) {
    INFO(capabilities << " " << method << " " << params);
    const Door::Bot bot = door.Connect("bot", capabilities);
    const std::string id = "\"ask-" + std::to_string(++asked) + "\"";
    door.set_awkward([=](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      return Streamed(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method +
                          R"(","params":)" + params + "}",
                      message["id"]);
    });
    const bool is_asked = bot.Post(Door::Call("echo")).body.find(method) != std::string::npos;
    CHECK(is_asked == (code == 0));
    if (code == 0) return;
    CHECK(door.SawText("\"id\":" + id + ",\"error\":{\"code\":" + std::to_string(code)));
  };
  const std::string elicit = "elicitation/create", sample = "sampling/createMessage";
  ask(R"({"elicitation":{}})", elicit, R"({"mode":"url","url":"https://a"})", -32602);
  ask(R"({"elicitation":{"form":{}}})", elicit, R"({"mode":"url","url":"https://a"})", -32602);
  ask(R"({"elicitation":{"url":{}}})", elicit, R"({"mode":"url","url":"https://a"})", 0);
  ask(R"({"elicitation":{"url":{}}})", elicit, R"({"message":"?"})", -32602);
  ask(R"({"elicitation":{"url":{}}})", elicit, R"({"mode":"voice"})", -32602);
  ask(R"({"sampling":{}})", elicit, R"({"mode":"url"})", -32601);
  ask(R"({"sampling":{}})", sample, R"({"tools":[]})", -32602);
  ask(R"({"sampling":{"tools":{}}})", sample, R"({"toolChoice":{"mode":"auto"}})", 0);
  ask(R"({"sampling":{}})", sample, R"({"includeContext":"thisServer"})", 0);
}

TEST_CASE("an error sends a client to an address that can go there, and may", "[agent][call]") {
  const auto answer = [](Door& door, const std::string& capabilities) {
    const Door::Bot bot = door.Connect("bot", capabilities);
    door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      const Json error = {
          {"code", -32042},
          {"message", "authorize first"},
          {"data", {{"elicitations", {{{"mode", "url"}, {"url", "https://elsewhere.example"}}}}}}};
      return RawHttpServer::Reply{
          .bytes =
              JsonReply(Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"error", error}}.dump())};
    });
    return bot.Post(Door::Call("echo")).body;
  };
  Door door;
  CHECK(answer(door, R"({"elicitation":{"url":{}}})").find("elsewhere.example") !=
        std::string::npos);
  const std::string formal = answer(door, R"({"elicitation":{}})");
  CHECK(formal.find("elsewhere.example") == std::string::npos);
  CAPTURE(formal);
  CHECK(formal.find("has not declared") != std::string::npos);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_POLICY_DENIED));
  std::string policy = kPolicy;
  const std::string rule = "    - allow: {server_requests: [elicitation]}\n";
  policy.erase(policy.find(rule), rule.size());
  Door shut("recording: {durability: process, spool_max_bytes: 128MiB}", policy);
  const std::string refused = answer(shut, R"({"elicitation":{"url":{}}})");
  CHECK(refused.find("elsewhere.example") == std::string::npos);
  CHECK(refused.find("which is not allowed") != std::string::npos);
}

TEST_CASE("a cancelled call gets no response and its server is told", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call") gone.wait();
        return std::nullopt;
      });
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 7)}));
  while (door.Seen("tools/call") == 0) std::this_thread::yield();
  CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})")
            .status == 202);
  const auto answer = client.Read();
  CHECK(answer.is_stream());
  CHECK(answer.body.find("jsonrpc") == std::string::npos);
  CHECK(door.Seen("notifications/cancelled") == 1);
  go.set_value();
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_OUTCOME,
                                 types::v1::DENIAL_REASON_UNSPECIFIED, "cancelled"));
}

TEST_CASE("one GET stream for an MCP session, and it ends with it", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  HttpClient stream(door.agent->port());
  stream.Send(door.Bytes({.method = "GET", .token = bot.token, .session_id = bot.session_id}));
  CHECK(stream.ReadUntil("").is_stream());
  CHECK(door.Send({.method = "GET", .token = bot.token, .session_id = bot.session_id}).status ==
        409);
  CHECK(bot.Delete().status == 204);
  CHECK(stream.ReadRest().status == 200);
}

TEST_CASE("the local listener says how the agent is, and tells no names", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect("bot-with-a-name");
  bot.Post(Door::Call("echo"));
  const auto get = [&](const std::string& path) {
    HttpClient client(door.agent->local_port());
    client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    return client.Read();
  };
  CHECK(get("/healthz").status == 200);
  CHECK(get("/readyz").status == 200);
  const std::string metrics = get("/metrics").body;
  CHECK(metrics.find("sallyport_agent_calls_forwarded_total 1\n") != std::string::npos);
  CHECK(metrics.find("sallyport_agent_sessions 1\n") != std::string::npos);
  CHECK(metrics.find("bot-with-a-name") == std::string::npos);
  CHECK(metrics.find("wiki") == std::string::npos);
}

TEST_CASE("an agent whose policies are withheld lets nothing through, is not ready and says why",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  REQUIRE(door.AwaitSnapshot(door.control.Edit(
      [](agent::v1::Snapshot& snapshot) { snapshot.set_withheld("they are too large"); })));
  bot.Post(Door::Call("echo"));
  CHECK(door.Seen("tools/call") == 0);
  HttpClient client(door.agent->local_port());
  client.Send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpClient::Answer ready = client.Read();
  CHECK(ready.status == 503);
  CHECK(ready.body.find("withholds them: they are too large") != std::string::npos);
}

TEST_CASE("a notification that MCP does not know reaches its client where policy names it",
          "[agent][call]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo], methods: ["notifications/vendor/*", "notifications/roots/*"]}
    - deny: {methods: ["notifications/vendor/secret"]}
    - require_approval: {methods: ["notifications/vendor/asked"], approvers: ["okta:approvers"]}
)");
  const Door::Bot bot = door.Connect();
  const auto told = [&](const std::string& method) {
    door.set_awkward([=](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      return Streamed(
          Json{{"jsonrpc", "2.0"}, {"method", method}, {"params", {{"channel", "c"}}}}.dump(),
          message["id"]);
    });
    const auto answer = bot.Post(Door::Call("echo"));
    CHECK(Door::Message(answer).contains("result"));
    return answer.body.find(method) != std::string::npos;
  };
  CHECK(told("notifications/vendor/channel"));
  // Of its client's methods a server says none.
  for (const char* refused : {"notifications/other", "notifications/vendor/secret",
                              "notifications/vendor/asked", "notifications/roots/list_changed"}) {
    INFO(refused);
    CHECK_FALSE(told(refused));
    CHECK(door.control.AwaitContent(
        types::v1::RECORD_TYPE_DENIAL, [&](const types::v1::RecordContent& content) {
          return content.denial_reason() == types::v1::DENIAL_REASON_POLICY_DENIED &&
                 content.method() == refused;
        }));
  }
}

TEST_CASE("a client is told which scopes nobody gets in without", "[agent][call]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta, scopes: [mcp.use, mcp.more]}, {realm: okta, scopes: [mcp.use]}]
  servers: [wiki]
  rules: [{allow: {tools: [echo]}}]
)");
  const auto metadata = [&](const std::string& path) {
    const auto answer =
        door.Send({.method = "GET", .target = "/.well-known/oauth-protected-resource" + path});
    CHECK(answer.status == 200);
    return Json::parse(answer.body);
  };
  const std::string agent = "http://" + door.agent->authority();
  for (const char* path : {"", "/wiki/mcp", "/nope/mcp"}) {
    const Json said = metadata(path);
    CHECK(said["resource"] == agent + path);
    CHECK(said["scopes_supported"] == Json::array({"mcp.use"}));
    CHECK(said["authorization_servers"] == Json::array({FakeControlPlane::kIssuer}));
  }
  for (const std::string& token : {std::string(), std::string("not-a-token")}) {
    const auto refused = door.Send({.token = token, .body = Door::Initialize()});
    CHECK(refused.status == 401);
    CHECK(refused.challenge.find("scope=\"mcp.use\"") != std::string::npos);
  }
  CHECK(door.Send({.method = "POST", .target = "/.well-known/oauth-protected-resource"}).status ==
        405);
}

}  // namespace
}  // namespace sallyport
