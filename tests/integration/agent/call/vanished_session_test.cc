// An HTTP server that has forgotten an MCP session, as one that was replaced has: what becomes of
// all that hangs on it, and what it takes to go on.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

constexpr char kConfig[] = "recording: {durability: process, spool_max_bytes: 128MiB}";
constexpr char kSubscribingPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo], resources: ["file:///public/**"], methods: ["resources/subscribe", "tasks/*"]}
)";
constexpr char kInitialized[] = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

RawHttpServer::Reply NotFound() { return {.bytes = HttpReply(404, "text/plain", "")}; }

// Events on a stream that goes on, or ends.
RawHttpServer::Reply Stream(const std::string& data, bool goes_on) {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
      HttpChunk("retry: 50\ndata: " + data + "\n\n");
  if (goes_on) return {.bytes = bytes, .closes = true, .waits = true};
  return {.bytes = bytes + "0\r\n\r\n"};
}
const std::string kToolsChanged =
    R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";

// Its GET stream.
std::unique_ptr<HttpClient> Listen(const Door& door, const Door::Bot& bot) {
  auto stream = std::make_unique<HttpClient>(door.agent->port());
  stream->Send(door.Bytes({.method = "GET", .token = bot.token, .session_id = bot.session_id}));
  CHECK(stream->ReadUntil(kToolsChanged).is_stream());
  return stream;
}

void CheckIsOver(const Door::Bot& bot) {
  const auto late = bot.Post(Door::Call("echo"));
  CHECK(late.status == 404);
  CHECK(late.body.find("session_ended") != std::string::npos);
  CHECK(late.body.find("its server was lost; initialize again") != std::string::npos);
}

TEST_CASE("what its server has forgotten is over whole, and a new MCP session has nothing of it",
          "[agent][session]") {
  Door door(kConfig, kSubscribingPolicy);
  auto is_forgotten = std::make_shared<std::atomic<bool>>(false);
  door.set_awkward([is_forgotten](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    if (*is_forgotten) return NotFound();
    if (message["id"] == 7) return RawHttpServer::Reply{.closes = true, .waits = true};
    return RawHttpServer::Reply{
        .bytes = JsonReply(Json{{"jsonrpc", "2.0"},
                                {"id", message["id"]},
                                {"result", {{"task", {{"taskId", "t-1"}, {"status", "working"}}}}}}
                               .dump())};
  });
  door.set_stream([](const std::string&) { return Stream(kToolsChanged, true); });
  const Door::Bot bot = door.Connect();
  CHECK(bot.Post(kInitialized).status == 202);
  const auto stream = Listen(door, bot);
  CHECK(Door::Message(bot.Post(R"({"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":)"
                               R"({"uri":"file:///public/a"}})"))
            .contains("result"));
  CHECK(bot.Post(R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo",)"
                 R"("task":{}}})")
            .body.find("t-1") != std::string::npos);
  HttpClient slow(door.agent->port());
  slow.Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 7)}));
  REQUIRE(door.AwaitRequests("tools/call", 2));

  *is_forgotten = true;
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "upstream_lost");
  CHECK(ReasonOf(slow.Read()) == "upstream_lost");
  stream->ReadRest();
  CheckIsOver(bot);

  // The just-in-time session goes on, and nobody has to approve it again.
  *is_forgotten = false;
  door.set_stream([](const std::string&) {
    return Stream(R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":)"
                  R"({"uri":"file:///public/a"}})",
                  true);
  });
  const Door::Bot again = door.Connect();
  CHECK(again.session_id != bot.session_id);
  CHECK(again.Post(kInitialized).status == 202);
  CHECK(door.control.opens() == 1);
  CHECK(door.Seen("initialize") == 2);
  // The subscription and the task were the old one's.
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_POLICY_DENIED));
  CHECK(Door::Message(again.Post(R"({"jsonrpc":"2.0","id":4,"method":"tasks/get","params":)"
                                 R"({"taskId":"t-1"}})"))["error"]["code"] == -32602);
}

TEST_CASE("a client that only listens hears that its server has forgotten the MCP session",
          "[agent][session]") {
  Door door;
  auto streams = std::make_shared<std::atomic<int>>(0);
  door.set_stream([streams](const std::string&) {
    return ++*streams == 1 ? Stream(kToolsChanged, false) : NotFound();
  });
  const Door::Bot bot = door.Connect();
  CHECK(bot.Post(kInitialized).status == 202);
  Listen(door, bot)->ReadRest();
  CheckIsOver(bot);
}

TEST_CASE("a server that knows no GET at all keeps its MCP sessions", "[agent][session]") {
  Door door;
  std::promise<void> asked;
  door.set_stream([&asked](const std::string&) {
    asked.set_value();
    return NotFound();
  });
  const Door::Bot bot = door.Connect();
  CHECK(bot.Post(kInitialized).status == 202);
  asked.get_future().wait();
  for (int i = 0; i < 5; ++i) {
    CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
  }
}

}  // namespace
}  // namespace sallyport
