// Calls of the modern era that take several rounds: the server asks its client for something, and
// the client calls again with it.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using Ask = ModernClient::Ask;

constexpr char kServerState[] = "the server's own state";

// Asks `method` of the client first, and does the call when its state and an answer come back.
void AskFirst(Door& door, const std::string& method = "elicitation/create") {
  door.set_awkward([method](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    const Json& params = message["params"];
    if (params.value("requestState", "") == kServerState && params.contains("inputResponses")) {
      return std::nullopt;
    }
    return ResultOf(message, {{"resultType", "input_required"},
                              {"requestState", kServerState},
                              {"inputRequests",
                               {{"q", {{"method", method}, {"params", {{"message", "sure?"}}}}}}}});
  });
}

Ask Deploy(const std::string& env = "dev") {
  Ask ask = ModernClient::Call("deploy", {{"env", env}, {"n", 1}});
  ask.capabilities = {{"elicitation", Json::object()}, {"sampling", Json::object()}};
  return ask;
}
Ask Retry(const std::string& state, const std::string& env = "dev") {
  Ask ask = Deploy(env);
  ask.id = 2;
  ask.params["requestState"] = state;
  ask.params["inputResponses"] = {{"q", {{"action", "accept"}}}};
  return ask;
}
std::string StateOf(const HttpClient::Answer& answer) {
  const Json result = Door::Message(answer).value("result", Json::object());
  CHECK(result.value("resultType", "") == "input_required");
  return result.value("requestState", "");
}
bool IsRefusedState(const HttpClient::Answer& answer) {
  return answer.status == 200 && Door::Message(answer)["error"]["code"] == -32602;
}

// Every session that is opened has one call.
void AllowOneCall(Door& door) {
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&door, session](const auto&) { return door.control.Active(session); });
}

void CheckCompletedByOneCall(Door& door) {
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
  CHECK(end->calls == 1);
}

TEST_CASE("a client sees a sealed state, and its retry brings the server its own",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  const ModernClient client(door);
  const auto asked = client.Post(Deploy());
  const std::string state = StateOf(asked);
  CHECK(asked.body.find(kServerState) == std::string::npos);
  CHECK(Door::Message(asked)["result"]["inputRequests"]["q"]["method"] == "elicitation/create");
  const Json done = Door::Message(client.Post(Retry(state)));
  CHECK(done["id"] == 2);
  CHECK(done["result"]["content"][0]["text"] == R"(did {"env":"dev","n":1})");
  const std::string retry = door.Requests("tools/call").back();
  CHECK(retry.find(R"("requestState":"the server's own state")") != std::string::npos);
  CHECK(retry.find(R"("inputResponses":{"q":{"action":"accept"}})") != std::string::npos);
  CHECK(retry.find(state) == std::string::npos);
}

TEST_CASE("all rounds of a call are one call, and the session ends with the last of them",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  AllowOneCall(door);
  const ModernClient client(door);
  const std::string state = StateOf(client.Post(Deploy()));
  // Another call would be a second one.
  CHECK(Door::Message(client.Post(Deploy()))["result"]["_meta"]["reason"] == "limit_exceeded");
  CHECK(Door::Message(client.Post(Retry(state)))["result"].contains("content"));
  CheckCompletedByOneCall(door);
}

TEST_CASE("a later round of the last call is not cut off by what else of its session ends",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  AllowOneCall(door);
  const ModernClient client(door);
  const std::string state = StateOf(client.Post(Deploy()));
  std::promise<void> done;
  door.set_awkward([until = done.get_future().share()](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") == "tools/call") until.wait();
    return std::nullopt;
  });
  const auto retry = client.Send(Retry(state));
  REQUIRE(door.AwaitRequests("tools/call", 2));
  CHECK(Door::Message(client.Post({.method = "tools/list"})).contains("result"));
  done.set_value();
  CHECK(Door::Message(retry->Read())["result"].contains("content"));
  CheckCompletedByOneCall(door);
}

TEST_CASE("of the rounds of a call only the first one's record says that it counts",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  const ModernClient client(door);
  client.Post(Retry(StateOf(client.Post(Deploy()))));
  const auto is_of_call = [](bool is_counted) {
    return [=](const types::v1::RecordContent& content) {
      return content.method() == "tools/call" && content.is_counted() == is_counted;
    };
  };
  const auto first = door.control.AwaitContent(types::v1::RECORD_TYPE_REQUEST, is_of_call(true));
  const auto retry = door.control.AwaitContent(types::v1::RECORD_TYPE_REQUEST, is_of_call(false));
  REQUIRE(first);
  REQUIRE(retry);
  CHECK(first->body().find("requestState") == std::string::npos);
  CHECK(retry->body().find("requestState") != std::string::npos);
}

TEST_CASE("a retry that policy refuses meanwhile ends a used-up session, too", "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  AllowOneCall(door);
  const ModernClient client(door);
  const std::string state = StateOf(client.Post(Deploy()));
  REQUIRE(door.AwaitSnapshot(door.control.Apply(R"(
kind: Policy
name: bots
spec: {principals: [{realm: okta}], servers: [wiki], rules: [{allow: {tools: [echo]}}]}
)",
                                                {"wiki"})));
  CHECK(Door::Message(client.Post(Retry(state))).contains("error"));
  CHECK(door.Seen("tools/call") == 1);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
}

// A call that a person has approved, and whose server has asked its client for something.
struct ApprovedRound {
  ApprovedRound() : door(HoldFor(20), kApprovedDeploy, false, "", ServerEras::kModern) {
    AskFirst(door);
    door.control.set_asker([](const agent::v1::RequestCallApprovalRequest& request) {
      agent::v1::RequestCallApprovalResponse response;
      *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
      response.mutable_approval()->set_state(types::v1::APPROVAL_STATE_APPROVED);
      return response;
    });
    door.control.set_reserver([this](const agent::v1::ReserveCallRequest&) {
      ++reserved;
      return agent::v1::ReserveCallResponse();
    });
    door.control.set_opener([this](const auto&) { return door.control.Active(session); });
    state = StateOf(client.Post(Deploy()));
    REQUIRE(reserved == 1);
  }

  static constexpr char kApprovedDeploy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - require_approval: {tools: [deploy], approvers: ["okta:approvers"]}
    - allow: {server_requests: [elicitation]}
)";
  Door door;
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  const ModernClient client{door};
  std::atomic<int> reserved = 0;
  std::string state;
};

TEST_CASE("a call that a person has approved needs nobody again in its next round",
          "[agent][modern]") {
  ApprovedRound round;
  CHECK(Door::Message(round.client.Post(Retry(round.state)))["result"].contains("content"));
  CHECK(round.reserved == 1);
}

TEST_CASE("a call that a person has approved goes no further than its session, in no round",
          "[agent][modern]") {
  ApprovedRound round;
  Door& door = round.door;
  SECTION("its principal is locked out") {
    door.control.Apply(std::string(ApprovedRound::kApprovedDeploy) +
                           "---\nkind: Lock\nname: incident\nspec: {principal: {realm: okta}}\n",
                       {"wiki"});
  }
  SECTION("its session is revoked") {
    types::v1::Session ended = round.session;
    ended.set_state(types::v1::SESSION_STATE_ENDED);
    ended.set_end_reason(types::v1::END_REASON_REVOKED);
    door.control.PushSession(ended, false);
  }
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_REVOKED);
  // Nor does it go on in another one.
  round.session = door.control.ActiveSession("wiki", "bot");
  CHECK(IsRefusedState(round.client.Post(Retry(round.state))));
  CHECK(round.reserved == 1);
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a later round that goes no further leaves its call unknown", "[agent][modern]") {
  Door door(HoldFor(20), R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [deploy], once: {by: [/n]}}
    - allow: {server_requests: [elicitation]}
)",
            false, "", ServerEras::kModern);
  AskFirst(door);
  std::promise<std::string> reserved;
  door.control.set_reserver([&](const agent::v1::ReserveCallRequest& request) {
    reserved.set_value(request.call_id());
    return agent::v1::ReserveCallResponse();
  });
  const ModernClient client(door);
  Ask retry = Retry(StateOf(client.Post(Deploy())));
  const std::string call_id = reserved.get_future().get();
  SECTION("its client goes while an administrator is waited for") {
    REQUIRE(door.AwaitSnapshot(door.control.Edit([](agent::v1::Snapshot& snapshot) {
      types::v1::ToolPin& pin = *snapshot.add_tool_pins();
      pin.set_server("wiki");
      pin.set_name("deploy");
      pin.set_definition_hash(std::string(64, 'a'));
      pin.set_is_changed(true);
    })));
    retry.more_meta = {{"progressToken", "p"}};
    const auto waiting = client.Send(retry);
    CHECK(waiting->ReadUntil("notifications/progress").is_stream());
  }
  SECTION("its client goes while a person is waited for") {
    REQUIRE(door.AwaitSnapshot(door.control.Apply(R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - require_approval: {tools: [deploy], approvers: ["okta:approvers"]}
    - allow: {server_requests: [elicitation]}
)",
                                                  {"wiki"})));
    retry.more_meta = {{"progressToken", "p"}};
    const auto waiting = client.Send(retry);
    CHECK(waiting->ReadUntil("notifications/progress").is_stream());
  }
  SECTION("it is a notification") {
    Door::Request notification = client.Make(retry);
    Json body = Json::parse(notification.body);
    body.erase("id");
    notification.body = body.dump();
    CHECK(door.Send(notification).status == 404);
  }
  const auto settled = door.control.AwaitSettlement(call_id);
  REQUIRE(settled);
  CHECK(settled->outcome() == agent::v1::CALL_OUTCOME_UNKNOWN);
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a state is good for one retry of the same call by the same principal",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  const ModernClient client(door);
  const ModernClient thief(door, "thief");
  const std::string state = StateOf(client.Post(Deploy()));
  REQUIRE_FALSE(StateOf(thief.Post(Deploy())).empty());
  const int seen = door.Seen("tools/call");
  CHECK(IsRefusedState(client.Post(Retry(state, "staging"))));
  CHECK(IsRefusedState(thief.Post(Retry(state))));
  CHECK(IsRefusedState(client.Post(Retry(kServerState))));
  CHECK(IsRefusedState(client.Post(Retry(state + "A"))));
  Ask other_tool = Retry(state);
  other_tool.params["name"] = "echo";
  CHECK(IsRefusedState(client.Post(other_tool)));
  Ask more = Retry(state);
  more.params["x"] = 666;
  CHECK(IsRefusedState(client.Post(more)));
  CHECK(door.Seen("tools/call") == seen);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_MESSAGE_INVALID));
  CHECK(Door::Message(client.Post(Retry(state)))["result"].contains("content"));
  CHECK(IsRefusedState(client.Post(Retry(state))));
  CHECK(door.Seen("tools/call") == seen + 1);
}

TEST_CASE("a retry that answers what was not asked is refused, and may come again",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  const ModernClient client(door);
  const std::string state = StateOf(client.Post(Deploy()));
  Ask more = Retry(state);
  more.params["inputResponses"]["evil"] = {{"action", "accept"}};
  CHECK(IsRefusedState(client.Post(more)));
  CHECK(door.Seen("tools/call") == 1);
  CHECK(Door::Message(client.Post(Retry(state)))["result"].contains("content"));
  CHECK_FALSE(door.SawText("evil"));
}

TEST_CASE("a client is not asked, and given no task, by a result that has no right to",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  Json result = {{"resultType", "complete"},
                 {"content", Json::array()},
                 {"requestState", kServerState},
                 {"inputRequests", {{"q", {{"method", "sampling/createMessage"}}}}}};
  door.set_awkward([&](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return ResultOf(message, result);
  });
  const ModernClient client(door);
  const Json seen = Door::Message(client.Post(Deploy()))["result"];
  CHECK(seen.contains("content"));
  CHECK_FALSE(seen.contains("inputRequests"));
  CHECK_FALSE(seen.contains("requestState"));
  result = {{"resultType", "task"}, {"taskId", "t-1"}, {"status", "working"}};
  CHECK(ReasonOf(client.Post(Deploy())) == "upstream_invalid");
}

TEST_CASE("a retry whose head disagrees has not used its state", "[agent][modern]") {
  Door door(ServerEras::kModern);
  AskFirst(door);
  const ModernClient client(door);
  Ask call = ModernClient::Call("echo", {{"region", "eu"}});
  call.capabilities = {{"elicitation", Json::object()}};
  call.more_fields = "Mcp-Param-Region: eu\r\n";
  const std::string state = StateOf(client.Post(call));
  call.params["requestState"] = state;
  call.params["inputResponses"] = Json::object();
  call.more_fields = "Mcp-Param-Region: us\r\n";
  CHECK(client.Post(call).status == 400);
  call.more_fields = "Mcp-Param-Region: eu\r\n";
  CHECK(Door::Message(client.Post(call))["result"].contains("content"));
}

TEST_CASE("a round without a state of the server's has one of ours, and the server never sees it",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    if (message["params"].contains("inputResponses")) return std::nullopt;
    return ResultOf(message, {{"resultType", "input_required"},
                              {"inputRequests", {{"q", {{"method", "elicitation/create"}}}}}});
  });
  const ModernClient client(door);
  const std::string state = StateOf(client.Post(Deploy()));
  CHECK_FALSE(state.empty());
  CHECK(Door::Message(client.Post(Retry(state)))["result"].contains("content"));
  CHECK(door.Requests("tools/call").back().find("requestState") == std::string::npos);
}

TEST_CASE("a client is not shown what policy or it itself does not let the server ask",
          "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient client(door);
  AskFirst(door, "sampling/createMessage");
  const auto by_policy = client.Post(Deploy());
  CHECK(Door::Message(by_policy)["result"]["isError"] == true);
  CHECK(Door::Message(by_policy)["result"]["_meta"]["reason"] == "policy_denied");
  CHECK(by_policy.body.find("sure?") == std::string::npos);
  AskFirst(door);
  Ask undeclared = Deploy();
  undeclared.capabilities = Json::object();
  const auto by_client = client.Post(undeclared);
  CHECK(by_client.status == 400);
  const Json error = Door::Message(by_client)["error"];
  CHECK(error["code"] == -32021);
  CHECK(error["data"] ==
        Json{{"requiredCapabilities", {{"elicitation", {{"form", Json::object()}}}}}});
  CHECK(by_client.body.find("sure?") == std::string::npos);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_POLICY_DENIED));
}

TEST_CASE("a client is asked in no way that it has not declared", "[agent][modern]") {
  Door door(ServerEras::kModern);
  Json params = {{"mode", "url"}, {"url", "https://example.org/"}, {"message", "sure?"}};
  door.set_awkward([&](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return ResultOf(message, {{"resultType", "input_required"},
                              {"inputRequests",
                               {{"q", {{"method", "elicitation/create"}, {"params", params}}}}}});
  });
  const ModernClient client(door);
  const auto asked = [&](const Json& elicitation) {
    Ask ask = Deploy();
    ask.capabilities["elicitation"] = elicitation;
    return client.Post(ask);
  };
  const Json none = Json::object();
  for (const Json& form : {none, Json{{"form", none}}}) {
    const auto refused = asked(form);
    CHECK(refused.status == 400);
    CHECK(Door::Message(refused)["error"]["code"] == -32021);
    CHECK(Door::Message(refused)["error"]["data"]["requiredCapabilities"] ==
          Json{{"elicitation", {{"url", none}}}});
    CHECK(refused.body.find("example.org") == std::string::npos);
  }
  CHECK_FALSE(StateOf(asked({{"url", none}})).empty());
  params.erase("mode");
  CHECK(asked({{"url", none}}).status == 400);
  CHECK_FALSE(StateOf(asked({{"url", none}, {"form", none}})).empty());
  params["mode"] = "voice";
  CHECK(ReasonOf(asked({{"url", none}, {"voice", none}})) == "upstream_invalid");
}

}  // namespace
}  // namespace sallyport
