// What an MCP session of 2025-11-25 owns at its server: subscriptions and tasks.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_CLIENT_MISMATCH;
using types::v1::DENIAL_REASON_METHOD_UNKNOWN;
using types::v1::RECORD_TYPE_DENIAL;

constexpr char kOpenPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo], resources: ["file:///public/**"], methods: ["resources/*", "tasks/*"]}
    - allow: {server_requests: [elicitation]}
)";
const std::string kConfig = "recording: {durability: process, spool_max_bytes: 128MiB}";

std::string Request(const std::string& method, const Json& params, int id = 1) {
  return Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}.dump();
}

// The server tells of a change while it answers a call.
bool HearsOf(Door& door, const Door::Bot& bot, const std::string& uri) {
  door.set_awkward([uri](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(Json{{"jsonrpc", "2.0"},
                         {"method", "notifications/resources/updated"},
                         {"params", {{"uri", uri}}}}
                        .dump(),
                    message["id"]);
  });
  const auto answer = bot.Post(Door::Call("echo"));
  CHECK(Door::Message(answer)["result"].contains("content"));
  return answer.body.find(uri) != std::string::npos;
}

TEST_CASE("subscriptions and tasks are offered as far as policy lets them be used",
          "[agent][call]") {
  const auto offered = [](const std::string& policy) {
    Door door(kConfig, policy);
    const auto answer = door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()});
    return Json::parse(answer.body)["result"]["capabilities"];
  };
  const Json open = offered(kOpenPolicy), shut = offered(kPolicy);
  CHECK(open["resources"] == Json{{"subscribe", true}});
  CHECK(open.contains("tasks"));
  CHECK(shut["resources"] == Json::object());
  CHECK_FALSE(shut.contains("tasks"));
}

TEST_CASE("an update reaches the MCP session that subscribed, and it alone", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  const Door::Bot bot = door.Connect(), other = door.Connect();
  CHECK_FALSE(HearsOf(door, bot, "file:///public/a"));
  const auto subscribed = bot.Post(Request("resources/subscribe", {{"uri", "file:///public/a"}}));
  CHECK(Door::Message(subscribed)["result"] == Json::object());
  CHECK(door.Seen("resources/subscribe") == 1);
  CHECK(HearsOf(door, bot, "file:///public/a"));
  CHECK(HearsOf(door, bot, "file:///public/a/part"));
  CHECK_FALSE(HearsOf(door, bot, "file:///public/b"));
  CHECK_FALSE(HearsOf(door, other, "file:///public/a"));
  bot.Post(Request("resources/unsubscribe", {{"uri", "file:///public/a"}}));
  CHECK(door.Seen("resources/unsubscribe") == 1);
  CHECK_FALSE(HearsOf(door, bot, "file:///public/a"));
}

TEST_CASE("a URI that policy does not allow is neither subscribed to nor told of",
          "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  const Door::Bot bot = door.Connect();
  const auto refused = bot.Post(Request("resources/subscribe", {{"uri", "file:///private/a"}}));
  CHECK(Door::Message(refused)["error"]["code"] == -32602);
  CHECK(door.Seen("resources/subscribe") == 0);
  // One that it allows reaches no further down than it allows.
  bot.Post(Request("resources/subscribe", {{"uri", "file:///public/a"}}));
  CHECK_FALSE(HearsOf(door, bot, "file:///public/a/../../private/a"));
  REQUIRE(HearsOf(door, bot, "file:///public/a"));
  // Nor any longer than it allows.
  std::string narrower = kOpenPolicy;
  narrower.replace(narrower.find("file:///public/**"), 17, "file:///public/b");
  door.control.Apply(narrower, {"wiki"});
  bool still_hears = true;
  for (int i = 0; i < 200 && still_hears; ++i) still_hears = HearsOf(door, bot, "file:///public/a");
  CHECK_FALSE(still_hears);
}

TEST_CASE("a subscription that the server refuses is none", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "resources/subscribe") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes =
            JsonReply(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"no such"}})")};
  });
  const auto refused = bot.Post(Request("resources/subscribe", {{"uri", "file:///public/a"}}));
  CHECK(Door::Message(refused)["error"]["code"] == -32002);
  CHECK_FALSE(HearsOf(door, bot, "file:///public/a"));
}

// A server that makes a task of every call that asks for one.
std::optional<RawHttpServer::Reply> RunTasks(const Json& message) {
  const std::string method = message.value("method", "");
  const Json params = message.value("params", Json::object());
  const auto answer = [&](const Json& result) {
    return RawHttpServer::Reply{
        .bytes =
            JsonReply(Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
  };
  const auto task = [](const std::string& id) {
    return Json{{"taskId", id}, {"status", "working"}, {"ttl", 60000}};
  };
  if (method == "tools/call" && params.contains("task")) {
    return answer({{"task", task("task-" + params["arguments"].value("who", ""))}});
  }
  if (method == "tasks/list") {
    return answer({{"tasks", Json::array({task("task-a"), task("task-b"), task("task-c")})}});
  }
  if (method == "tasks/result") {
    return answer(
        {{"content", Json::array({{{"type", "text"}, {"text", "key AKIAZQ3DRSTUVWXY2LMN"}}})},
         {"_meta", {{"io.modelcontextprotocol/related-task", {{"taskId", params["taskId"]}}}}}});
  }
  if (method.starts_with("tasks/")) return answer(task(params["taskId"]));
  return std::nullopt;
}

std::string TaskCall(const std::string& who) {
  return Request("tools/call",
                 {{"name", "echo"}, {"arguments", {{"who", who}}}, {"task", {{"ttl", 60000}}}});
}

TEST_CASE("a task is its MCP session's: others may not name it and do not see it",
          "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  door.set_awkward(RunTasks);
  const Door::Bot a = door.Connect(), b = door.Connect();
  CHECK(Door::Message(a.Post(TaskCall("a")))["result"]["task"]["taskId"] == "task-a");
  CHECK(Door::Message(b.Post(TaskCall("b")))["result"]["task"]["taskId"] == "task-b");
  for (const char* method : {"tasks/get", "tasks/result", "tasks/cancel"}) {
    INFO(method);
    for (const char* foreign : {"task-a", "task-never"}) {
      const Json error = Door::Message(b.Post(Request(method, {{"taskId", foreign}})))["error"];
      CHECK(error["code"] == -32602);
      CHECK_FALSE(error.contains("data"));
    }
    CHECK(Door::Message(b.Post(Request(method, Json::object())))["error"]["code"] == -32602);
    CHECK(door.Seen(method) == 0);
  }
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_CLIENT_MISMATCH));
  const Json listed = Door::Message(a.Post(Request("tasks/list", Json::object())))["result"];
  CHECK(listed["tasks"].size() == 1);
  CHECK(listed["tasks"][0]["taskId"] == "task-a");
  CHECK(Door::Message(a.Post(Request("tasks/get", {{"taskId", "task-a"}})))["result"]["status"] ==
        "working");
}

TEST_CASE("a call that policy does not let run as a task is told so", "[agent][call]") {
  Door door;
  const Json error = Door::Message(door.Connect().Post(TaskCall("a")))["error"];
  CHECK(error["code"] == -32601);
  CHECK(error["message"] == "Method not found: tools/call as a task; call the tool without `task`");
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("of a server without tasks the methods of tasks are none", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "initialize") return RunTasks(message);
    const Json result = {{"protocolVersion", "2025-11-25"},
                         {"capabilities", {{"tools", Json::object()}}},
                         {"serverInfo", {{"name", "wiki"}, {"version", "1"}}}};
    return RawHttpServer::Reply{
        .bytes =
            JsonReply(Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
  });
  const Door::Bot bot = door.Connect();
  for (const char* method : {"tasks/get", "tasks/result", "tasks/cancel", "tasks/list"}) {
    INFO(method);
    const Json error = Door::Message(bot.Post(Request(method, {{"taskId", "task-a"}})))["error"];
    CHECK(error["code"] == -32601);
    CHECK(error["message"] == "Method not found: " + std::string(method));
    CHECK(door.Seen(method) == 0);
  }
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_METHOD_UNKNOWN));
}

TEST_CASE("a task's result is masked as the call's own would be", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  door.set_awkward(RunTasks);
  const Door::Bot bot = door.Connect();
  bot.Post(TaskCall("a"));
  const Json result =
      Door::Message(bot.Post(Request("tasks/result", {{"taskId", "task-a"}})))["result"];
  CHECK(result["content"][0]["text"] == "key [REDACTED:aws]");
  CHECK(result["_meta"]["io.modelcontextprotocol/related-task"]["taskId"] == "task-a");
}

TEST_CASE("where policy does not let a task be fetched none is begun", "[agent][call]") {
  Door door;
  door.set_awkward(RunTasks);
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(TaskCall("a")))["error"]["code"] == -32601);
  CHECK(Door::Message(bot.Post(Request("tasks/list", Json::object())))["error"]["code"] == -32601);
  CHECK(door.Seen("tools/call") == 0);
  CHECK(door.Seen("tasks/list") == 0);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_METHOD_UNKNOWN));
}

TEST_CASE("only a tool call can be asked for as a task", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  const Door::Bot bot = door.Connect();
  const auto refused =
      bot.Post(Request("resources/read", {{"uri", "file:///public/a"}, {"task", Json::object()}}));
  CHECK(Door::Message(refused)["error"]["code"] == -32601);
  CHECK(door.Seen("resources/read") == 0);
}

TEST_CASE("a task whose id cannot be told from others is not passed on", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes = JsonReply(R"({"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":7}}})")};
  });
  const Json refused = Door::Message(bot.Post(TaskCall("a")));
  CHECK(refused["error"]["data"]["reason"] == "upstream_invalid");
  CHECK_FALSE(refused.contains("result"));
}

TEST_CASE("how a task stands is told to its MCP session alone", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  door.set_awkward(RunTasks);
  const Door::Bot bot = door.Connect(), other = door.Connect();
  bot.Post(TaskCall("a"));
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(
        R"({"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"task-a","status":"completed"}})",
        message["id"]);
  });
  CHECK(bot.Post(Door::Call("echo")).body.find("task-a") != std::string::npos);
  CHECK(other.Post(Door::Call("echo")).body.find("task-a") == std::string::npos);
}

TEST_CASE("the last counted call ends the session when its task's result has been given",
          "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  door.set_awkward(RunTasks);
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(TaskCall("a")))["result"]["task"]["taskId"] == "task-a");
  for (int i = 0; i < 3; ++i) {
    CHECK(Door::Message(bot.Post(Request("tasks/get", {{"taskId", "task-a"}})))["result"].contains(
        "status"));
  }
  CHECK(Door::Message(bot.Post(TaskCall("b")))["error"]["data"]["reason"] == "limit_exceeded");
  CHECK(Door::Message(bot.Post(Request("tasks/result", {{"taskId", "task-a"}})))["result"].contains(
      "content"));
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
  CHECK(end->calls == 1);
  CHECK(bot.Post(Door::Call("echo")).status == 404);
}

TEST_CASE("a server asks after a task of the client's where both can run one", "[agent][call]") {
  Door door(kConfig, kOpenPolicy);
  const auto reaches = [&](const Door::Bot& bot) {
    door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      return Streamed(
          R"({"jsonrpc":"2.0","id":"s1","method":"tasks/get","params":{"taskId":"clients-own"}})",
          message["id"]);
    });
    return bot.Post(Door::Call("echo")).body.find("clients-own") != std::string::npos;
  };
  const Door::Bot bot = door.Connect("bot", R"({"elicitation":{},"tasks":{}})");
  CHECK(reaches(bot));
  CHECK(
      bot.Post(
             R"({"jsonrpc":"2.0","id":"s1","result":{"taskId":"clients-own","status":"working"}})")
          .status == 202);
  CHECK(door.SawText("\"clients-own\",\"status\":\"working\""));
  CHECK_FALSE(reaches(door.Connect("bot", R"({"elicitation":{}})")));
  CHECK_FALSE(reaches(door.Connect("bot", R"({"sampling":{},"tasks":{}})")));
  CHECK(
      bot.Post(
             R"({"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"clients-own","status":"completed"}})")
          .status == 202);
  CHECK(door.Seen("notifications/tasks/status") == 1);
}

}  // namespace
}  // namespace sallyport
