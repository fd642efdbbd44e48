// A modern client that takes tasks: its call waits for a person as a task of the agent's own.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using Ask = ModernClient::Ask;
using enum types::v1::ApprovalState;
using enum types::v1::DenialReason;
using enum types::v1::RecordType;

const Json kTasks = {{"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};

Ask Delete(const Json& arguments = {{"id", 1}}) {
  Ask ask = ModernClient::Call("delete", arguments);
  ask.capabilities = kTasks;
  return ask;
}
Ask About(const std::string& method, const std::string& task, const Json& more = Json::object()) {
  Ask ask{.method = method, .params = more, .id = 2, .capabilities = kTasks, .name_field = task};
  ask.capabilities["elicitation"] = Json::object();
  ask.params["taskId"] = task;
  return ask;
}

// A call that waits as a task.
struct Waiting {
  explicit Waiting(Door& door, const Ask& ask = Delete()) : client(door) {
    created = Door::Message(client.Post(ask))["result"];
    id = created.value("taskId", "");
    const auto asked = door.control.AwaitApproval();
    REQUIRE(asked);
    approval = *asked;
  }
  Json Get() const { return Door::Message(client.Post(About("tasks/get", id)))["result"]; }
  // As it is when it no longer has that status.
  Json GetPast(const std::string& status) const {
    for (int i = 0; i < 2000; ++i) {
      Json task = Get();
      if (task.value("status", "") != status) return task;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {};
  }
  void Decide(Door& door, types::v1::ApprovalState state, const std::string& reason = "") {
    approval.set_state(state);
    if (!reason.empty()) approval.add_decisions()->set_reason(reason);
    door.control.PushApproval(approval);
  }

  const ModernClient client;
  Json created;
  std::string id;
  types::v1::Approval approval;
};

TEST_CASE("a call that waits is a task at once, and its result is the task's", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Waiting call(door);
  CHECK(call.created["resultType"] == "task");
  CHECK(call.created["status"] == "working");
  CHECK(std::string(call.created["statusMessage"]).find(call.approval.id()) != std::string::npos);
  const std::int64_t ttl = call.created["ttlMs"];
  const std::int64_t left =
      (call.approval.expires_at().seconds() - absl::ToUnixSeconds(absl::Now())) * 1000;
  CHECK(std::abs(ttl - left) < 5000);
  CHECK(call.created["pollIntervalMs"] == 3000);
  CHECK(call.Get()["status"] == "working");
  // The others of the session go on meanwhile.
  CHECK(Door::Message(call.client.Post(ModernClient::Call("echo")))["result"].contains("content"));
  CHECK(door.Seen("tools/call") == 1);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  const Json done = call.GetPast("working");
  CHECK(done["resultType"] == "complete");
  CHECK(done["status"] == "completed");
  CHECK(done["result"]["content"][0]["text"] == R"(did {"id":1})");
  CHECK(door.Seen("tools/call") == 2);
  CHECK(door.Seen("tasks/get") == 0);
  // The server is not told that its answer may be a task.
  CHECK(door.Requests("tools/call").back().find("io.modelcontextprotocol/tasks") ==
        std::string::npos);
  CHECK(door.control.AwaitResult("tools/call"));
  CHECK(door.control.AwaitResult("tasks/get"));
}

TEST_CASE("a call that no person has to approve is no task", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Ask ask = ModernClient::Call("echo");
  ask.capabilities = kTasks;
  const Json result = Door::Message(ModernClient(door).Post(ask))["result"];
  CHECK(result.contains("content"));
  CHECK(result["resultType"] == "complete");
}

TEST_CASE("a client that takes no tasks gets none", "[agent][tasks]") {
  Door door("limits: {approval_hold_seconds: 1}", kPolicy, false, "", ServerEras::kModern);
  Ask ask = Delete();
  ask.capabilities = Json::object();
  CHECK(Door::Message(ModernClient(door).Post(ask))["result"]["resultType"] == "input_required");
}

TEST_CASE("what a person says of the call is the task's result", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Waiting call(door);
  const auto [state, word] = GENERATE(std::pair(APPROVAL_STATE_DENIED, "approval_denied"),
                                      std::pair(APPROVAL_STATE_EXPIRED, "approval_expired"),
                                      std::pair(APPROVAL_STATE_WITHDRAWN, "approval_revoked"),
                                      std::pair(APPROVAL_STATE_CONSUMED, "approval_consumed"));
  call.Decide(door, state, "not on a Friday");
  const Json task = call.GetPast("working");
  CHECK(task["status"] == "completed");
  CHECK(task["result"]["isError"] == true);
  CHECK(task["result"]["_meta"]["reason"] == word);
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("an approval that is refused when it is used sends nothing", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  door.control.set_reserver(
      [](const auto&) { return FakeControlPlane::Reserved(DENIAL_REASON_POLICY_CHANGED); });
  Waiting call(door);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  CHECK(call.GetPast("working")["result"]["_meta"]["reason"] == "policy_changed");
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a task that is cancelled while it waits withdraws its approval", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Waiting call(door);
  const Json told = Door::Message(call.client.Post(About("tasks/cancel", call.id)));
  CHECK(told["result"] == Json{{"resultType", "complete"}});
  CHECK(door.control.AwaitWithdrawal(call.approval.id()));
  CHECK(call.GetPast("working")["status"] == "cancelled");
  call.Decide(door, APPROVAL_STATE_APPROVED);
  CHECK(call.Get()["status"] == "cancelled");
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a call that finds no room as a task takes no approval from one that waits for it",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  std::map<std::string, types::v1::Approval> asked;  // under the control plane's lock
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    types::v1::Approval& approval = asked[request.arguments_digest()];
    if (approval.id().empty()) approval = FakeControlPlane::PendingApproval(request);
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = approval;
    return response;
  });
  std::promise<void> done;
  door.set_awkward([until = done.get_future().share()](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") == "tools/call") until.wait();
    return std::nullopt;
  });
  for (int i = 1; i < 64; ++i) {
    Waiting busy(door, Delete({{"id", i}}));
    busy.Decide(door, APPROVAL_STATE_APPROVED);
    REQUIRE(door.AwaitRequests("tools/call", i));
  }
  Waiting last(door, Delete({{"id", 64}}));
  REQUIRE(last.created["resultType"] == "task");
  // The approval that was asked for by a call that finds no room.
  const auto refused = [&](int id) {
    CHECK(ReasonOf(last.client.Post(Delete({{"id", id}}))) == "limit_exceeded");
    const auto approval = door.control.AwaitApproval();
    REQUIRE(approval);
    return approval->id();
  };
  CHECK(refused(64) == last.approval.id());
  // Nobody waits for that one.
  const std::string alone = refused(65);
  CHECK(door.control.AwaitWithdrawal(alone));
  CHECK(door.control.withdrawn() == std::vector<std::string>{alone});
  last.Decide(door, APPROVAL_STATE_APPROVED);
  CHECK(door.AwaitRequests("tools/call", 64));
  done.set_value();
  CHECK(last.GetPast("working")["status"] == "completed");
  CHECK(door.Seen("tools/call") == 64);
}

TEST_CASE("a task that is cancelled at its server ends there, too", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return EventsOf({Json{{"jsonrpc", "2.0"},
                          {"method", "notifications/message"},
                          {"params", {{"level", "info"}, {"data", "at it"}}}}},
                    /*ends=*/false);
  });
  Waiting call(door);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  REQUIRE(door.AwaitRequests("tools/call", 1));
  call.client.Post(About("tasks/cancel", call.id));
  CHECK(call.GetPast("working")["status"] == "cancelled");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a server that dies over the call makes the task fail, and gets it once",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .closes = true};
  });
  Waiting call(door);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  const Json task = call.GetPast("working");
  CHECK(task["status"] == "completed");
  CHECK(task["result"]["_meta"]["reason"] == "upstream_lost");
  CHECK(door.Seen("tools/call") == 1);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, DENIAL_REASON_UPSTREAM_LOST));
}

TEST_CASE("a JSON-RPC error of the server is a failed task", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes = JsonReply(Json{{"jsonrpc", "2.0"},
                                {"id", message["id"]},
                                {"error", {{"code", -32603}, {"message", "rate limited"}}}}
                               .dump())};
  });
  Waiting call(door);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  const Json task = call.GetPast("working");
  CHECK(task["status"] == "failed");
  CHECK(task["error"] == Json{{"code", -32603}, {"message", "rate limited"}});
}

TEST_CASE("the result of a task is masked before anybody keeps it", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return ResultOf(
        message,
        {{"resultType", "complete"},
         {"content", Json::array({{{"type", "text"}, {"text", "key AKIAZQ3DRSTUVWXY2LMN"}}})}});
  });
  Waiting call(door);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  const Json task = call.GetPast("working");
  CHECK(task["result"]["content"][0]["text"] == "key [REDACTED:aws]");
}

TEST_CASE("a task belongs to its session, and to clients that know tasks", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Waiting call(door);
  const ModernClient thief(door, "thief");
  const std::string method = GENERATE("tasks/get", "tasks/cancel", "tasks/update");
  const Json input = {{"inputResponses", Json::object()}};
  const Json stolen = Door::Message(thief.Post(About(method, call.id, input)));
  CHECK(stolen["error"]["code"] == -32602);
  CHECK(stolen["error"]["message"] == "Unknown task: " + call.id);
  const auto never = call.client.Post(About(method, "task_none", input));
  CHECK(never.status == 200);
  CHECK(Door::Message(never)["error"]["code"] == -32602);
  Ask undeclared = About(method, call.id, input);
  undeclared.capabilities = Json::object();
  const auto refused = call.client.Post(undeclared);
  CHECK(refused.status == 400);
  CHECK(Door::Message(refused)["error"]["code"] == -32021);
  CHECK(call.Get()["status"] == "working");
  CHECK(door.Seen(method) == 0);
}

// The server asks two things before it does the call.
void AskFirst(Door& door) {
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    if (message["params"].contains("inputResponses")) return std::nullopt;
    return ResultOf(
        message, {{"resultType", "input_required"},
                  {"requestState", "the server's own state"},
                  {"inputRequests",
                   {{"q", {{"method", "elicitation/create"}, {"params", {{"message", "?"}}}}},
                    {"r", {{"method", "elicitation/create"}, {"params", {{"message", "!"}}}}}}}});
  });
}

TEST_CASE("what the server asks in an approved task the client gives by tasks/update",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  Ask ask = Delete();
  ask.capabilities["elicitation"] = Json::object();
  Waiting call(door, ask);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  const Json asking = call.GetPast("working");
  CHECK(asking["status"] == "input_required");
  CHECK(asking["inputRequests"]["q"]["method"] == "elicitation/create");
  CHECK_FALSE(asking.contains("requestState"));
  Ask undeclared = About("tasks/get", call.id);
  undeclared.capabilities = kTasks;
  const auto untold = call.client.Post(undeclared);
  CHECK(untold.status == 400);
  CHECK(Door::Message(untold)["error"]["data"]["requiredCapabilities"] ==
        Json{{"elicitation", {{"form", Json::object()}}}});
  const auto supply = [&](const Json& responses) {
    return Door::Message(
        call.client.Post(About("tasks/update", call.id, {{"inputResponses", responses}})));
  };
  CHECK(supply({{"q", {{"action", "accept"}}}, {"unknown", 7}})["result"]["resultType"] ==
        "complete");
  CHECK(call.Get()["status"] == "input_required");
  CHECK(Door::Message(call.client.Post(About("tasks/update", call.id)))["error"]["code"] == -32602);
  supply({{"r", {{"action", "decline"}}}});
  const Json done = call.GetPast("input_required");
  CHECK(call.GetPast("working")["result"]["content"][0]["text"] == R"(did {"id":1})");
  const auto sent = door.Requests("tools/call");
  REQUIRE(sent.size() == 2);
  const Json retry = Json::parse(sent[1].substr(sent[1].find("\r\n\r\n") + 4))["params"];
  CHECK(retry["requestState"] == "the server's own state");
  CHECK(retry["inputResponses"] ==
        Json{{"q", {{"action", "accept"}}}, {"r", {{"action", "decline"}}}});
  CHECK(door.Seen("tasks/update") == 0);
}

TEST_CASE("a task whose client gives nothing is over, and its call of unknown outcome",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->mutable_idle_timeout()->set_seconds(2);
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  Ask ask = Delete();
  ask.capabilities["elicitation"] = Json::object();
  Waiting call(door, ask);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  CHECK(call.GetPast("working")["status"] == "input_required");
  CHECK(call.GetPast("input_required")["status"] == "cancelled");
  const auto sent = door.control.AwaitContent(
      RECORD_TYPE_REQUEST, [](const auto& content) { return content.target() == "delete"; });
  REQUIRE(sent);
  const auto settled = door.control.AwaitSettlement(sent->call_id());
  REQUIRE(settled);
  CHECK(settled->outcome() == agent::v1::CALL_OUTCOME_UNKNOWN);
}

TEST_CASE("an approved task waits for a token that still holds, and a poll can bring it",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  REQUIRE(door.AwaitSnapshot(door.control.Edit([](agent::v1::Snapshot& snapshot) {
    snapshot.mutable_issuers(0)->mutable_issuer()->mutable_clock_skew()->set_seconds(0);
  })));
  const std::string token = door.control.Token("bot", absl::Seconds(2));
  const ModernClient fresh(door);
  Door::Request request = fresh.Make(Delete());
  request.token = token;
  const Json created = Door::Message(door.Send(request))["result"];
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  approval->set_state(APPROVAL_STATE_APPROVED);
  door.control.PushApproval(*approval);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(door.Seen("tools/call") == 0);
  const std::string id = created["taskId"];
  CHECK(Door::Message(fresh.Post(About("tasks/get", id)))["result"]["status"] == "working");
  CHECK(door.AwaitRequests("tools/call", 1));
}

TEST_CASE("an approved task is not used on the rights of a token that has expired",
          "[agent][tasks]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", R"(
kind: Policy
name: readers
spec:
  principals: [{realm: okta, scopes: [mcp.use]}]
  servers: [wiki]
  rules: [{allow: {tools: [echo], methods: ["tasks/*"]}}]
---
kind: Policy
name: writers
spec:
  principals: [{realm: okta, scopes: [mcp.write]}]
  servers: [wiki]
  rules: [{require_approval: {tools: [delete], approvers: ["okta:approvers"]}}]
)",
            false, "", ServerEras::kModern);
  REQUIRE(door.AwaitSnapshot(door.control.Edit([](agent::v1::Snapshot& snapshot) {
    snapshot.mutable_issuers(0)->mutable_issuer()->mutable_clock_skew()->set_seconds(0);
  })));
  door.control.set_opener([&](const access::v1::OpenSessionRequest&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.mutable_principal()->clear_scopes();
    for (const char* scope : {"mcp.use", "mcp.write"})
      session.mutable_principal()->add_scopes(scope);
    return door.control.Active(session);
  });
  const ModernClient client(door);
  const auto as = [&](const std::string& token, const Ask& ask) {
    Door::Request request = client.Make(ask);
    request.token = token;
    return Door::Message(door.Send(request));
  };
  const std::string writer =
      door.control.Token("bot", absl::Seconds(3), {{"scope", "mcp.use mcp.write"}});
  const std::string reader = door.control.Token("bot", absl::Minutes(10));
  const std::string id = as(writer, Delete())["result"]["taskId"];
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  CHECK(as(reader, About("tasks/get", id))["result"]["status"] == "working");
  std::this_thread::sleep_for(std::chrono::milliseconds(3100));
  approval->set_state(APPROVAL_STATE_APPROVED);
  door.control.PushApproval(*approval);
  std::string status = "working";
  for (int i = 0; i < 2000 && status == "working"; ++i) {
    status = as(reader, About("tasks/get", id))["result"]["status"];
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const Json task = as(reader, About("tasks/get", id))["result"];
  CHECK(task["status"] == "completed");
  CHECK(task["result"]["isError"] == true);
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a session that ends ends its waiting tasks", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Waiting call(door);
  types::v1::Session ended = door.control.ActiveSession("wiki", "bot");
  ended.set_id(call.approval.session_id());
  ended.set_state(types::v1::SESSION_STATE_ENDED);
  ended.set_end_reason(types::v1::END_REASON_REVOKED);
  door.control.PushSession(ended, false);
  CHECK(door.control.AwaitEnd());
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_SESSION_ENDED));
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a session that is used up goes on until its task's result was fetched",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  Waiting call(door);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  REQUIRE(door.AwaitRequests("tools/call", 1));
  CHECK(call.GetPast("working")["result"].contains("content"));
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
}

TEST_CASE("who listens to a task hears of its end without asking", "[agent][tasks]") {
  Door door(ServerEras::kModern);
  Waiting call(door);
  Ask listen{.method = "subscriptions/listen",
             .params = {{"notifications", {{"taskIds", {call.id}}}}},
             .id = 9,
             .capabilities = kTasks};
  const auto stream = call.client.Send(listen);
  const auto acknowledged = stream->ReadUntil("acknowledged");
  CHECK(acknowledged.is_stream());
  CHECK(acknowledged.body.find(R"("taskIds":[")" + call.id) != std::string::npos);
  call.Decide(door, APPROVAL_STATE_APPROVED);
  const auto told = stream->ReadOn("notifications/tasks\"");
  CHECK(stream->ReadOn(R"("status":"completed")").body.find(R"(did {\"id\":1})") !=
        std::string::npos);
  CHECK(told.body.find(R"("io.modelcontextprotocol/subscriptionId":9)") != std::string::npos);
  CHECK(door.Seen("subscriptions/listen") == 0);
}

TEST_CASE("a discovery says that calls may become tasks where a person may have to approve",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  const auto extensions = [&] {
    const Json found =
        Door::Message(ModernClient(door).Post({.method = "server/discover"}))["result"];
    return found["capabilities"].value("extensions", Json::object());
  };
  CHECK(extensions() == kTasks["extensions"]);
  REQUIRE(door.AwaitSnapshot(door.control.Apply(R"(
kind: Policy
name: bots
spec: {principals: [{realm: okta}], servers: [wiki], rules: [{allow: {tools: [echo]}}]}
)",
                                                {"wiki"})));
  CHECK(extensions() == Json::object());
}

TEST_CASE("a call that waits as a task is one of the 128 open requests, the last of them as well",
          "[agent][tasks]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  std::promise<void> done;
  door.set_awkward([until = done.get_future().share()](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") == "tools/call") until.wait();
    return std::nullopt;
  });
  std::vector<std::unique_ptr<HttpClient>> busy;
  while (busy.size() < 127) busy.push_back(client.Send(ModernClient::Call("echo")));
  REQUIRE(door.AwaitRequests("tools/call", 127));
  const Waiting call(door);
  CHECK(call.created["resultType"] == "task");
  const auto refused = client.Post(ModernClient::Call("echo"));
  CHECK(refused.body.find("the session has 128 requests in flight") != std::string::npos);
  done.set_value();
  for (const auto& one : busy) CHECK(one->Read().status == 200);
  CHECK(Door::Message(client.Post(ModernClient::Call("echo")))["result"].contains("content"));
}

}  // namespace
}  // namespace sallyport
