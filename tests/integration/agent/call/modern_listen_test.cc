// The streams by which clients of the modern era hear of changes.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

constexpr char kConfig[] = "recording: {durability: process, spool_max_bytes: 128MiB}";
constexpr char kListenPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo], resources: ["file:///public/**"], methods: ["subscriptions/listen"]}
)";
constexpr char kAskingPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo], resources: ["file:///public/**"]}
    - require_approval: {methods: ["subscriptions/listen"], approvers: ["okta:approvers"]}
)";
constexpr char kTaskPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo], methods: ["subscriptions/listen", "tasks/*"]}
    - allow: {server_requests: [elicitation]}
)";
constexpr char kSubscriptionId[] = "io.modelcontextprotocol/subscriptionId";

Json News(const std::string& method, const Json& id) {
  return {{"jsonrpc", "2.0"}, {"method", method}, {"params", {{"_meta", {{kSubscriptionId, id}}}}}};
}

// In front of a server that acknowledges each subscription, tells of one change and then is silent.
struct Stage {
  explicit Stage(const std::string& config = kConfig)
      : door(config, kListenPolicy, false, "", ServerEras::kModern) {
    door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "subscriptions/listen") return std::nullopt;
      return EventsOf({News("notifications/subscriptions/acknowledged", message["id"]),
                       News("notifications/tools/list_changed", "of another"),
                       News("notifications/tools/list_changed", message["id"])},
                      false);
    });
  }
  static ModernClient::Ask Listen(const Json& id = "l-1") {
    return {.method = "subscriptions/listen",
            .params = {{"notifications",
                        {{"toolsListChanged", true},
                         {"resourceSubscriptions",
                          {"file:///secret/a", "file:///public/b", "file:///secret/c"}}}}},
            .id = id};
  }
  Door door;
};

void Revoke(Door& door, types::v1::Session session) {
  session.set_state(types::v1::SESSION_STATE_ENDED);
  session.set_end_reason(types::v1::END_REASON_REVOKED);
  session.set_detail("an operator ended it");
  door.control.PushSession(session, false);
}

TEST_CASE("a client hears of what policy lets it read, and of nothing else", "[agent][modern]") {
  Stage stage;
  const ModernClient client(stage.door);
  const auto stream = client.Send(Stage::Listen());
  const auto heard = stream->ReadUntil("tools/list_changed");
  CHECK(heard.is_stream());
  CHECK(heard.body.find("of another") == std::string::npos);
  const std::string request = stage.door.Requests("subscriptions/listen").front();
  CHECK(request.find("file:///public/b") != std::string::npos);
  CHECK(request.find("secret") == std::string::npos);
  CHECK(request.find("toolsListChanged") != std::string::npos);
}

TEST_CASE("a client is told which resources policy denies it to hear of, and of none that it hides",
          "[agent][modern]") {
  Stage stage;
  REQUIRE(stage.door.AwaitSnapshot(stage.door.control.Apply(std::string(kListenPolicy) + R"(
    - require_approval: {resources: ["file:///public/asked/**"], approvers: ["okta:approvers"]}
    - deny: {resources: ["file:///public/denied/**"]}
)",
                                                            {"wiki"})));
  const ModernClient client(stage.door);
  ModernClient::Ask listen = Stage::Listen();
  listen.params["notifications"]["resourceSubscriptions"] = {
      "file:///secret/a", "file:///public/b", "file:///public/asked/c", "file:///public/denied/d"};
  const auto stream = client.Send(listen);
  const std::string said = stream->ReadUntil("tools/list_changed").body;
  CHECK(said.find("file:///public/asked/c: what the request names needs an approval of its own") !=
        std::string::npos);
  CHECK(said.find("file:///public/denied/d") != std::string::npos);
  CHECK(said.find("secret") == std::string::npos);
  CHECK(said.find("public/b") == std::string::npos);
  const std::string request = stage.door.Requests("subscriptions/listen").front();
  CHECK(request.find("public/b") != std::string::npos);
  CHECK(request.find("asked") == std::string::npos);
  // What the client was told is recorded.
  CHECK(stage.door.control.AwaitContent(
      types::v1::RECORD_TYPE_MESSAGE, [](const types::v1::RecordContent& content) {
        return content.SerializeAsString().find("file:///public/asked/c: what") !=
               std::string::npos;
      }));
}

TEST_CASE("a stream that needs a person is approved and asked for with what it is to bring",
          "[agent][modern]") {
  Stage stage;
  stage.door.control.Apply(kAskingPolicy, {"wiki"});
  std::string shown;
  stage.door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    shown = request.other_params();
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    response.mutable_approval()->set_state(types::v1::APPROVAL_STATE_APPROVED);
    return response;
  });
  const ModernClient client(stage.door);
  const Json found =
      Door::Message(client.Post({.method = "server/discover"}))["result"]["capabilities"];
  CHECK(found["resources"].value("subscribe", false));
  const auto stream = client.Send(Stage::Listen());
  CHECK(stream->ReadUntil("tools/list_changed").is_stream());
  for (const std::string& asked : {shown, stage.door.Requests("subscriptions/listen").front()}) {
    CHECK(asked.find("file:///public/b") != std::string::npos);
    CHECK(asked.find("secret") == std::string::npos);
  }
}

TEST_CASE("a stream that waits too long for a person is told so, for no round is of its method",
          "[agent][modern]") {
  Stage stage(std::string(kConfig) + "\nlimits: {approval_hold_seconds: 1}");
  stage.door.control.Apply(kAskingPolicy, {"wiki"});
  const ModernClient client(stage.door);
  const auto reply = client.Post(Stage::Listen());
  CHECK(reply.body.find("approval_pending") != std::string::npos);
  CHECK(reply.body.find("input_required") == std::string::npos);
  CHECK(stage.door.Seen("subscriptions/listen") == 0);
}

TEST_CASE("a stream brings what its client asked for there, and nothing else", "[agent][modern]") {
  Stage stage;
  stage.door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "subscriptions/listen") return std::nullopt;
    const auto updated = [&](const std::string& uri) {
      Json news = News("notifications/resources/updated", message["id"]);
      news["params"]["uri"] = uri;
      return news;
    };
    return EventsOf(
        {News("notifications/subscriptions/acknowledged", message["id"]),
         News("notifications/prompts/list_changed", message["id"]),
         News("notifications/message", message["id"]), updated("file:///public/other"),
         News("notifications/cancelled", message["id"]), updated("file:///public/b/part"),
         News("notifications/tools/list_changed", message["id"])},
        false);
  });
  const ModernClient client(stage.door);
  const std::string body = client.Send(Stage::Listen())->ReadUntil("tools/list_changed").body;
  CHECK(body.find("file:///public/b/part") != std::string::npos);
  for (const char* unasked : {"prompts", "notifications/message", "cancelled", "public/other"}) {
    CHECK(body.find(unasked) == std::string::npos);
  }
  CHECK(stage.door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                       types::v1::DENIAL_REASON_POLICY_DENIED));
}

TEST_CASE("a stream brings nothing before its acknowledgement, and no news without its id",
          "[agent][modern]") {
  Stage stage;
  stage.door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "subscriptions/listen") return std::nullopt;
    const Json& id = message["id"];
    const auto tools = [](const Json& of, const std::string& mark) {
      Json news = News("notifications/tools/list_changed", of);
      news["params"]["mark"] = mark;
      return news;
    };
    Json untagged = tools(id, "untagged");
    untagged["params"].erase("_meta");
    Json acknowledged = News("notifications/subscriptions/acknowledged", id);
    acknowledged["params"]["notifications"] = {
        {"toolsListChanged", true},
        {"promptsListChanged", true},
        {"resourceSubscriptions", {"file:///public/b", "file:///secret/a", "file:///public/z"}}};
    Json foreign = News("notifications/subscriptions/acknowledged", "of another");
    foreign["params"]["mark"] = "foreign";
    Json again = acknowledged;
    again["params"]["mark"] = "again";
    return EventsOf({tools(id, "early"), foreign, acknowledged, again, untagged,
                     tools("of another", "stray"), tools(id, "heard")},
                    false);
  });
  const ModernClient client(stage.door);
  const std::string body = client.Send(Stage::Listen())->ReadUntil("heard").body;
  for (const char* dropped : {"early", "foreign", "again", "untagged", "stray"}) {
    INFO(dropped);
    CHECK(body.find(dropped) == std::string::npos);
  }
  const std::size_t at = body.find("data: ") + 6;
  const Json first = Json::parse(body.substr(at, body.find('\n', at) - at));
  CHECK(first["method"] == "notifications/subscriptions/acknowledged");
  CHECK(first["params"]["notifications"] ==
        Json{{"toolsListChanged", true}, {"resourceSubscriptions", {"file:///public/b"}}});
  const auto recorded = [&](const std::string& words) {
    return stage.door.control
        .AwaitContent(types::v1::RECORD_TYPE_DENIAL,
                      [&](const types::v1::RecordContent& content) {
                        return content.SerializeAsString().find(words) != std::string::npos;
                      })
        .has_value();
  };
  CHECK(recorded("has not acknowledged the subscription yet"));
  CHECK(recorded("names no subscription for"));
}

TEST_CASE("a stream is refused where policy does not name it", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  const auto answer = client.Post(Stage::Listen());
  CHECK(answer.status == 404);
  CHECK(Door::Message(answer)["error"]["code"] == -32601);
  CHECK(door.Seen("subscriptions/listen") == 0);
}

TEST_CASE("when the session ends a stream is told that there is no more, a call that it failed",
          "[agent][modern]") {
  Stage stage;
  Door& door = stage.door;
  const types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const ModernClient client(door);
  const auto stream = client.Send(Stage::Listen());
  REQUIRE(stream->ReadUntil("tools/list_changed").is_stream());
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.closes = true, .waits = true};
  });
  const auto call = client.Send(ModernClient::Call("echo"));
  REQUIRE(door.AwaitRequests("tools/call", 1));
  Revoke(door, session);
  CHECK(Door::Message(stream->ReadRest()) ==
        Json({{"jsonrpc", "2.0"},
              {"id", "l-1"},
              {"result", {{"resultType", "complete"}, {"_meta", {{kSubscriptionId, "l-1"}}}}}}));
  const Json error = Door::Message(call->Read())["error"];
  CHECK(error["code"] == 40302);
  CHECK(error["message"] == "Session ended: an operator ended it");
  CHECK(door.AwaitOpenConnections(0));
  REQUIRE(door.control.AwaitEnd());
  // What the stream was told is in the recording, before its end.
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_END, types::v1::DENIAL_REASON_UNSPECIFIED));
}

TEST_CASE("a stream ends with the session's latest token, and the session goes on",
          "[agent][modern]") {
  Stage stage;
  Door& door = stage.door;
  door.control.Edit([](agent::v1::Snapshot& snapshot) {
    snapshot.mutable_issuers(0)->mutable_issuer()->mutable_clock_skew()->set_seconds(0);
  });
  const auto brief = ModernClient::WithToken(door, door.control.Token("bot", absl::Seconds(3)));
  const auto stream = brief.Send(Stage::Listen());
  REQUIRE(stream->ReadUntil("tools/list_changed").is_stream());
  CHECK(Door::Message(stream->ReadRest())["result"]["resultType"] == "complete");
  CHECK(door.AwaitOpenConnections(0));
  CHECK(brief.Post(ModernClient::Call("echo")).status == 401);

  const types::v1::Session session = door.control.ActiveSession("wiki", "bot-2");
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const auto again = ModernClient::WithToken(door, door.control.Token("bot-2", absl::Seconds(3)));
  const auto other = again.Send(Stage::Listen("l-2"));
  REQUIRE(other->ReadUntil("tools/list_changed").is_stream());
  // A token that holds longer, brought by another request of the session, keeps it open.
  const ModernClient fresh(door, "bot-2");
  CHECK(fresh.Post(ModernClient::Call("echo")).status == 200);
  while (again.Post(ModernClient::Call("echo")).status != 401) continue;
  auto rest = std::async(std::launch::async, [&] { return other->ReadRest(); });
  // Longer than two sweeps.
  CHECK(rest.wait_for(std::chrono::milliseconds(600)) == std::future_status::timeout);
  Revoke(door, session);
  CHECK(Door::Message(rest.get())["result"]["resultType"] == "complete");
}

TEST_CASE("a stream does not hold idleness off", "[agent][modern]") {
  Stage stage;
  types::v1::Session session = stage.door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->mutable_idle_timeout()->set_seconds(1);
  stage.door.control.set_opener([&](const auto&) { return stage.door.control.Active(session); });
  const ModernClient client(stage.door);
  const auto stream = client.Send(Stage::Listen(7));
  const Json last = Door::Message(stream->Read());
  CHECK(last["id"] == 7);
  CHECK(last["result"]["_meta"][kSubscriptionId] == 7);
  const auto end = stage.door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_EXPIRED);
  CHECK(end->calls == 0);
}

TEST_CASE("a client that has closed its last stream is disconnected, as in the legacy era",
          "[agent][modern]") {
  Stage stage;
  types::v1::Session session = stage.door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->mutable_disconnect_grace()->set_seconds(1);
  stage.door.control.set_opener([&](const auto&) { return stage.door.control.Active(session); });
  const ModernClient client(stage.door);
  {
    const auto stream = client.Send(Stage::Listen());
    REQUIRE(stream->ReadUntil("tools/list_changed").is_stream());
  }
  const auto end = stage.door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_DISCONNECTED);
}

TEST_CASE("a client whose stream was refused has had none, and is not disconnected",
          "[agent][modern]") {
  Stage stage;
  types::v1::Session session = stage.door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->mutable_disconnect_grace()->set_seconds(1);
  session.mutable_terms()->mutable_idle_timeout()->set_seconds(3);
  stage.door.control.set_opener([&](const auto&) { return stage.door.control.Active(session); });
  stage.door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "subscriptions/listen") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes = JsonReply(R"({"jsonrpc":"2.0","id":)" + message["id"].dump() +
                           R"(,"error":{"code":-32601,"message":"no such method"}})")};
  });
  CHECK(Door::Message(ModernClient(stage.door).Post(Stage::Listen()))["error"]["code"] == -32601);
  const auto end = stage.door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_EXPIRED);
}

TEST_CASE("a stream whose client has gone is closed at the server, and the others go on",
          "[agent][modern]") {
  Stage stage;
  const ModernClient client(stage.door);
  const auto kept = client.Send(Stage::Listen("kept"));
  REQUIRE(kept->ReadUntil("tools/list_changed").is_stream());
  {
    const auto gone = client.Send(Stage::Listen("gone"));
    REQUIRE(gone->ReadUntil("tools/list_changed").is_stream());
  }
  CHECK(stage.door.control.AwaitRecord(types::v1::RECORD_TYPE_OUTCOME,
                                       types::v1::DENIAL_REASON_UNSPECIFIED, "cancelled"));
  CHECK(stage.door.AwaitOpenConnections(1));
  CHECK(client.Post(ModernClient::Call("echo")).status == 200);
}

TEST_CASE("a stream that its server ends is ended for its client", "[agent][modern]") {
  Stage stage;
  stage.door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "subscriptions/listen") return std::nullopt;
    const Json& id = message["id"];
    return EventsOf(
        {News("notifications/subscriptions/acknowledged", id),
         {{"jsonrpc", "2.0"},
          {"id", id},
          {"result", {{"resultType", "complete"}, {"_meta", {{kSubscriptionId, id}}}}}}});
  });
  const ModernClient client(stage.door);
  const auto answer = client.Post(Stage::Listen());
  CHECK(answer.is_stream());
  CHECK(answer.body.find("acknowledged") != std::string::npos);
  CHECK(Door::Message(answer)["result"]["resultType"] == "complete");
}

// A task of the modern era asks its client in what tells of it.
TEST_CASE("news of a task that asks for what policy or its client does not allow reach nobody",
          "[agent][modern]") {
  Door door(kConfig, kTaskPolicy, false, "", ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    const std::string method = message.value("method", "");
    const Json task = {{"resultType", "task"}, {"taskId", "t-1"}, {"status", "working"}};
    if (method == "tools/call") return ResultOf(message, task);
    if (method != "subscriptions/listen") return std::nullopt;
    const auto asking = [&](const std::string& what) {
      Json news = News("notifications/tasks", message["id"]);
      news["params"]["taskId"] = "t-1";
      news["params"]["status"] = "input_required";
      news["params"]["inputRequests"] = {{"a", {{"method", what}}}};
      return news;
    };
    Json by_url = asking("elicitation/create");
    by_url["params"]["inputRequests"]["a"]["params"] = {{"mode", "url"}, {"url", "https://a"}};
    return EventsOf({News("notifications/subscriptions/acknowledged", message["id"]),
                     asking("sampling/createMessage"), by_url, asking("elicitation/create")},
                    false);
  });
  const ModernClient client(door);
  ModernClient::Ask call = ModernClient::Call("echo");
  call.capabilities = {{"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};
  CHECK(Door::Message(client.Post(call))["result"]["taskId"] == "t-1");
  ModernClient::Ask listen = Stage::Listen();
  listen.capabilities = {{"elicitation", Json::object()}, {"sampling", Json::object()}};
  const auto answer = client.Send(listen)->ReadUntil("elicitation/create");
  CHECK(answer.is_stream());
  CHECK(answer.body.find("sampling") == std::string::npos);
  CHECK(answer.body.find("https://a") == std::string::npos);
}

TEST_CASE("a client hears of its own tasks, and of nobody else's", "[agent][modern]") {
  Door door(kConfig, kTaskPolicy, false, "", ServerEras::kModern);
  // A server that tells whoever listens of both tasks, whatever is listened to.
  door.set_awkward([made = std::make_shared<int>(0)](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    const std::string method = message.value("method", "");
    if (method == "tools/call") {
      return ResultOf(message, {{"resultType", "task"},
                                {"taskId", "t-" + std::to_string(++*made)},
                                {"status", "working"}});
    }
    if (method != "subscriptions/listen") return std::nullopt;
    Json acknowledged = News("notifications/subscriptions/acknowledged", message["id"]);
    acknowledged["params"]["notifications"] = {{"taskIds", {"t-1", "t-2", "t-9"}}};
    const auto completed = [&](const char* id) {
      Json news = News("notifications/tasks", message["id"]);
      news["params"].update({{"taskId", id}, {"status", "completed"}, {"of", id}});
      return news;
    };
    return EventsOf({acknowledged, completed("t-1"), completed("t-9"), completed("t-2")}, false);
  });
  const Json takes_tasks = {{"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};
  const auto make = [&](const ModernClient& client) {
    ModernClient::Ask call = ModernClient::Call("echo");
    call.capabilities = takes_tasks;
    return Door::Message(client.Post(call))["result"]["taskId"];
  };
  const ModernClient other(door, "other");
  REQUIRE(make(other) == "t-1");
  const ModernClient client(door);
  REQUIRE(make(client) == "t-2");
  const auto stream =
      client.Send({.method = "subscriptions/listen",
                   .params = {{"notifications", {{"taskIds", {"t-1", "t-2", "t-9"}}}}},
                   .capabilities = takes_tasks});
  const std::string heard = stream->ReadUntil(R"("of":"t-2")").body;
  for (const char* foreign : {"t-1", "t-9"}) {
    INFO(foreign);
    CHECK(heard.find(foreign) == std::string::npos);
    CHECK(door.Requests("subscriptions/listen").front().find(foreign) == std::string::npos);
  }
  CHECK(heard.find(R"("taskIds":["t-2"])") != std::string::npos);
  CHECK(door.Requests("subscriptions/listen").front().find(R"("taskIds":["t-2"])") !=
        std::string::npos);
}

TEST_CASE("a client answers of a task what the task has asked it, and nothing else",
          "[agent][modern]") {
  Door door(kConfig, kTaskPolicy, false, "", ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    const std::string method = message.value("method", "");
    Json task = {{"resultType", "task"}, {"taskId", "t-1"}, {"status", "working"}};
    if (method == "tools/call") return ResultOf(message, task);
    if (method != "tasks/get") return std::nullopt;
    const std::string what = message["id"] == 7 ? "sampling/createMessage" : "elicitation/create";
    task["inputRequests"] = {{"q", {{"method", what}, {"params", {{"message", "?"}}}}}};
    return ResultOf(message, task);
  });
  const ModernClient client(door);
  const Json capabilities = {{"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}},
                             {"elicitation", Json::object()},
                             {"sampling", Json::object()}};
  ModernClient::Ask call = ModernClient::Call("echo");
  call.capabilities = capabilities;
  CHECK(Door::Message(client.Post(call))["result"]["taskId"] == "t-1");
  const auto about = [&](const std::string& method, int id, const Json& responses = Json()) {
    ModernClient::Ask ask{.method = method,
                          .params = {{"taskId", "t-1"}},
                          .id = id,
                          .capabilities = capabilities,
                          .name_field = "t-1"};
    if (!responses.is_null()) ask.params["inputResponses"] = responses;
    return Door::Message(client.Post(ask));
  };
  const Json answer = {{"q", {{"action", "accept"}}}};
  // It has asked nothing yet; then for what it may not, which its client is not told.
  CHECK(about("tasks/update", 3, answer)["error"]["code"] == -32602);
  CHECK(about("tasks/get", 7).contains("error"));
  CHECK(about("tasks/update", 3, answer)["error"]["code"] == -32602);
  CHECK(about("tasks/get", 8)["result"]["inputRequests"].contains("q"));
  CHECK(about("tasks/update", 3, {{"never", 1}})["error"]["code"] == -32602);
  CHECK(door.Seen("tasks/update") == 0);
  CHECK(about("tasks/update", 3, answer).contains("result"));
  CHECK(door.Seen("tasks/update") == 1);
}

}  // namespace
}  // namespace sallyport
