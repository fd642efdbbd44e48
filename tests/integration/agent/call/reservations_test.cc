// Calls that the control plane lets through once: what is reserved before they go out, and what is
// said of their end.
#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <mutex>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using enum types::v1::ApprovalState;
using enum types::v1::DenialReason;
using enum types::v1::RecordType;

constexpr char kConfig[] =
    "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
    "20}";
constexpr char kEffects[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  session: {bind: principal, approval: {approvers: ["okta:approvers"]}}
  rules:
    - allow: {tools: [echo]}
    - allow: {tools: [refund], once: {by: [/payment_id], within: 24h}, limit: {count: /items, per_window: 5}}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
    - allow: {tools: [careful], on_unknown: deny}
    - allow: {tools: [asked], on_unknown: ask}
    - allow: {server_requests: [elicitation]}
)";

// What was asked to be let through, and what the answer is.
struct Reserved {
  using Answers =
      std::function<agent::v1::ReserveCallResponse(const agent::v1::ReserveCallRequest&)>;
  explicit Reserved(Door& door, types::v1::DenialReason reason = DENIAL_REASON_UNSPECIFIED)
      : Reserved(door, [reason](const auto&) { return FakeControlPlane::Reserved(reason); }) {}
  Reserved(Door& door, Answers answers) {
    door.control.set_reserver(
        [this, answers = std::move(answers)](const agent::v1::ReserveCallRequest& request) {
          std::lock_guard lock(mutex);
          requests.push_back(request);
          return answers(request);
        });
  }
  std::vector<agent::v1::ReserveCallRequest> all() {
    std::lock_guard lock(mutex);
    return requests;
  }
  std::mutex mutex;
  std::vector<agent::v1::ReserveCallRequest> requests;
};

Json AnswerOf(const HttpClient::Answer& answer) { return Door::Message(answer)["result"]; }
std::string Refund(const std::string& more = "", int id = 1) {
  return Door::Call("refund", R"({"payment_id":"p-1","items":["a","b"])" + more + "}", id);
}

TEST_CASE("what a call may do once is reserved before it goes out, and settled when it is answered",
          "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  const Door::Bot bot = door.Connect();
  CHECK(AnswerOf(bot.Post(Refund())).contains("content"));
  const auto requests = reserved.all();
  REQUIRE(requests.size() == 1);
  const agent::v1::ReserveCallRequest& request = requests[0];
  CHECK(request.method() == "tools/call");
  CHECK(request.target() == "refund");
  REQUIRE(request.once_size() == 1);
  CHECK(request.once(0).policy() == "bots");
  CHECK(request.once(0).by(0) == "/payment_id");
  CHECK(request.once(0).digest().size() == 64);
  REQUIRE(request.touched_size() == 1);
  CHECK(request.touched(0).objects() == 2);
  CHECK(request.approval_id().empty());
  CHECK(Json::parse(request.arguments())["payment_id"] == "p-1");
  const auto settled = door.control.AwaitSettlement(request.call_id());
  REQUIRE(settled);
  CHECK(settled->outcome() == agent::v1::CALL_OUTCOME_ANSWERED);
  const auto recorded = door.control.AwaitContent(
      RECORD_TYPE_REQUEST, [](const auto& content) { return content.target() == "refund"; });
  REQUIRE(recorded);
  CHECK(recorded->call_id() == request.call_id());
}

TEST_CASE("one effect has one digest, whoever calls and whatever else he says",
          "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  door.Connect().Post(Refund());
  door.Connect("other").Post(Refund(R"(,"note":"please")"));
  door.Connect().Post(Door::Call("refund", R"({"payment_id":"p-2","items":[]})"));
  const auto requests = reserved.all();
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].once(0).digest() == requests[1].once(0).digest());
  CHECK(requests[0].call_digest() != requests[1].call_digest());
  CHECK(requests[0].once(0).digest() != requests[2].once(0).digest());
}

TEST_CASE("a call is identical to one whose numbers are the same doubles", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  const Door::Bot bot = door.Connect();
  for (const char* id : {"7", "7.0", "7.00000000000000000001", "7.000000000000001"}) {
    bot.Post(Door::Call("refund", std::string(R"({"payment_id":)") + id + R"(,"items":[]})"));
  }
  const auto requests = reserved.all();
  REQUIRE(requests.size() == 4);
  for (const int same : {1, 2}) {
    CHECK(requests[same].once(0).digest() == requests[0].once(0).digest());
    CHECK(requests[same].call_digest() == requests[0].call_digest());
  }
  CHECK(requests[3].once(0).digest() != requests[0].once(0).digest());
  CHECK(requests[3].call_digest() != requests[0].call_digest());
}

TEST_CASE("what the control plane refuses is not sent", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  const auto [reason, word] = GENERATE(std::pair(DENIAL_REASON_ALREADY_DONE, "already_done"),
                                       std::pair(DENIAL_REASON_LIMIT_EXCEEDED, "limit_exceeded"),
                                       std::pair(DENIAL_REASON_OUTCOME_UNKNOWN, "outcome_unknown"),
                                       std::pair(DENIAL_REASON_POLICY_CHANGED, "policy_changed"),
                                       std::pair(DENIAL_REASON_LOCKED, "locked"));
  Reserved reserved(door, reason);
  const Door::Bot bot = door.Connect();
  CHECK(ReasonOf(bot.Post(Refund())) == word);
  CHECK(door.Seen("tools/call") == 0);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, reason));
}

TEST_CASE("without the control plane nothing goes out that it must let through",
          "[agent][reserve]") {
  Door door(kConfig, kEffects);
  const Door::Bot bot = door.Connect();
  door.control.Stop();
  CHECK(ReasonOf(bot.Post(Refund())) == "control_plane_unavailable");
  CHECK(AnswerOf(bot.Post(Door::Call("echo"))).contains("content"));
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a call that needs none of it asks nobody", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  const Door::Bot bot = door.Connect();
  CHECK(AnswerOf(bot.Post(Door::Call("echo"))).contains("content"));
  CHECK(reserved.all().empty());
}

TEST_CASE("a call whose answer never comes is told of as unknown", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .closes = true};
  });
  const Door::Bot bot = door.Connect();
  CHECK(ReasonOf(bot.Post(Refund())) == "upstream_lost");
  const std::string call_id = reserved.all().at(0).call_id();
  const auto settled = door.control.AwaitSettlement(call_id);
  REQUIRE(settled);
  CHECK(settled->outcome() == agent::v1::CALL_OUTCOME_UNKNOWN);
  // One that nobody had to let through is told of as well, with what an identical one is known by.
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "upstream_lost");
  const auto outcome = door.control.AwaitContent(
      RECORD_TYPE_OUTCOME, [](const auto& content) { return content.target() == "echo"; });
  REQUIRE(outcome);
  const auto other = door.control.AwaitSettlement(outcome->call_id());
  REQUIRE(other);
  CHECK(other->outcome() == agent::v1::CALL_OUTCOME_UNKNOWN);
  CHECK(other->target() == "echo");
  CHECK(other->call_digest().size() == 64);
  CHECK(door.Seen("tools/call") == 2);
}

TEST_CASE("an agent that was killed over a call tells of it when it is back", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return EventsOf({Json{{"jsonrpc", "2.0"},
                          {"method", "notifications/message"},
                          {"params", {{"level", "info"}, {"data", "at it"}}}}},
                    /*ends=*/false);
  });
  const Door::Bot bot = door.Connect();
  HttpClient client(door.agent->port());
  client.Send(door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Refund()}));
  REQUIRE(door.AwaitRequests("tools/call", 1));
  door.agent->Stop(SIGKILL);
  door.agent->Start();
  const auto settled = door.control.AwaitSettlement(reserved.all().at(0).call_id());
  REQUIRE(settled);
  CHECK(settled->outcome() == agent::v1::CALL_OUTCOME_UNKNOWN);
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a call whose repetition is in doubt asks even where nothing else is in the way",
          "[agent][reserve]") {
  Door door(kConfig, kEffects);
  Reserved reserved(door);
  const Door::Bot bot = door.Connect();
  CHECK(AnswerOf(bot.Post(Door::Call("careful"))).contains("content"));
  CHECK(reserved.all().size() == 1);
}

// Whoever is asked says yes.
void ApproveAll(Door& door) {
  door.control.set_asker([](const agent::v1::RequestCallApprovalRequest& request) {
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    response.mutable_approval()->set_state(APPROVAL_STATE_APPROVED);
    return response;
  });
}
bool IsSettled(Door& door, const std::string& call_id, agent::v1::CallOutcome outcome) {
  const auto settled = door.control.AwaitSettlement(call_id);
  return settled && settled->outcome() == outcome;
}

TEST_CASE("a call that used its approval is settled, too", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  ApproveAll(door);
  Reserved reserved(door);
  const Door::Bot bot = door.Connect();
  CHECK(AnswerOf(bot.Post(Door::Call("delete"))).contains("content"));
  REQUIRE(reserved.all().size() == 1);
  CHECK_FALSE(reserved.all()[0].approval_id().empty());
  CHECK(IsSettled(door, reserved.all()[0].call_id(), agent::v1::CALL_OUTCOME_ANSWERED));
}

TEST_CASE("a call of unknown outcome is made again when a person says so", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  ApproveAll(door);
  Reserved reserved(door, [](const agent::v1::ReserveCallRequest& request) {
    agent::v1::ReserveCallResponse response;
    if (!request.approval_id().empty()) return response;
    response = FakeControlPlane::Reserved(DENIAL_REASON_OUTCOME_UNKNOWN);
    response.set_may_be_approved(true);
    return response;
  });
  const Door::Bot bot = door.Connect();
  CHECK(AnswerOf(bot.Post(Door::Call("asked"))).contains("content"));
  const auto requests = reserved.all();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].call_id() != requests[1].call_id());
  CHECK(requests[0].call_digest() == requests[1].call_digest());
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a call is judged again by the policies that the control plane has in force",
          "[agent][reserve]") {
  Door door(kConfig, kEffects);
  std::promise<void> asked;
  Reserved reserved(door, [&](const agent::v1::ReserveCallRequest& request) {
    if (request.once_size() == 0) return agent::v1::ReserveCallResponse();
    auto response = FakeControlPlane::Reserved(DENIAL_REASON_POLICY_CHANGED);
    *response.mutable_in_force() = request.judged_by();
    response.mutable_in_force()->set_version(request.judged_by().version() + 1);
    asked.set_value();
    return response;
  });
  const Door::Bot bot = door.Connect();
  auto answer = std::async(std::launch::async, [&] { return bot.Post(Refund()); });
  asked.get_future().wait();
  const std::string tools = GENERATE("refund", "echo");
  door.control.Apply(
      "kind: Policy\nname: bots\nspec:\n  principals: [{realm: okta}]\n  servers: "
      "[wiki]\n  rules: [{allow: {tools: [" +
          tools + "], on_unknown: deny}}]\n",
      {"wiki"});
  const auto message = Door::Message(answer.get());
  if (tools == "echo") {
    CHECK(message.contains("error"));
    CHECK(reserved.all().size() == 1);
    CHECK(door.Seen("tools/call") == 0);
  } else {
    CHECK(message["result"].contains("content"));
    const auto requests = reserved.all();
    REQUIRE(requests.size() == 2);
    CHECK(requests[1].judged_by().version() == requests[0].judged_by().version() + 1);
    CHECK(requests[1].call_id() != requests[0].call_id());
  }
}

// The server asks its client first, and does the call when it is told more.
void AskFirst(Door& door) {
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call" || message["params"]["name"] == "echo" ||
        message["params"].contains("inputResponses")) {
      return std::nullopt;
    }
    return ResultOf(
        message,
        {{"resultType", "input_required"},
         {"requestState", "s"},
         {"inputRequests",
          {{"q", {{"method", "elicitation/create"}, {"params", {{"message", "sure?"}}}}}}}});
  });
}
ModernClient::Ask Careful() {
  ModernClient::Ask ask = ModernClient::Call("careful");
  ask.capabilities = {{"elicitation", Json::object()}};
  return ask;
}
ModernClient::Ask NextRound(const HttpClient::Answer& answer) {
  ModernClient::Ask ask = Careful();
  ask.id = 2;
  ask.params["requestState"] = AnswerOf(answer).value("requestState", "");
  ask.params["inputResponses"] = {{"q", {{"action", "accept"}}}};
  return ask;
}

TEST_CASE("all rounds of a call are let through as one", "[agent][reserve]") {
  Door door(kConfig, kEffects, false, "", ServerEras::kModern);
  AskFirst(door);
  Reserved reserved(door);
  const ModernClient client(door);
  const auto asked = client.Post(Careful());
  CHECK(AnswerOf(client.Post(NextRound(asked))).contains("content"));
  REQUIRE(reserved.all().size() == 1);
  CHECK(IsSettled(door, reserved.all()[0].call_id(), agent::v1::CALL_OUTCOME_ANSWERED));
}

TEST_CASE("a call of which only a later round is refused is of unknown outcome",
          "[agent][reserve]") {
  Door door(kConfig, kEffects, false, "", ServerEras::kModern);
  AskFirst(door);
  Reserved reserved(door);
  const ModernClient client(door);
  const auto asked = client.Post(Careful());
  REQUIRE(door.AwaitSnapshot(door.control.Apply(
      "kind: Policy\nname: bots\nspec: {principals: [{realm: okta}], servers: [wiki], rules: "
      "[{allow: {tools: [echo]}}]}",
      {"wiki"})));
  CHECK(Door::Message(client.Post(NextRound(asked))).contains("error"));
  CHECK(IsSettled(door, reserved.all().at(0).call_id(), agent::v1::CALL_OUTCOME_UNKNOWN));
}

TEST_CASE("a call whose next round its client is not asked for is of unknown outcome",
          "[agent][reserve]") {
  Door door(kConfig, kEffects, false, "", ServerEras::kModern);
  AskFirst(door);
  Reserved reserved(door);
  const auto refused = ModernClient(door).Post(ModernClient::Call("careful"));
  CHECK(Door::Message(refused)["error"]["code"] == -32021);
  CHECK(IsSettled(door, reserved.all().at(0).call_id(), agent::v1::CALL_OUTCOME_UNKNOWN));
}

// A session that may be idle for a moment only.
void MayIdle(Door& door, absl::Duration idle) {
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->mutable_idle_timeout()->set_seconds(absl::ToInt64Seconds(idle));
  door.control.set_opener([&door, session](const auto&) { return door.control.Active(session); });
}

TEST_CASE("a round that its client does not come back for is over, and its call of unknown outcome",
          "[agent][reserve]") {
  Door door(kConfig, kEffects, false, "", ServerEras::kModern);
  AskFirst(door);
  Reserved reserved(door);
  MayIdle(door, absl::Seconds(2));
  const ModernClient client(door);
  const auto asked = client.Post(Careful());
  const std::string call_id = reserved.all().at(0).call_id();
  // Its session goes on.
  std::optional<agent::v1::SettleCallRequest> settled;
  while (!settled) {
    REQUIRE(AnswerOf(client.Post(ModernClient::Call("echo"))).contains("content"));
    settled = door.control.Settlement(call_id);
  }
  CHECK(settled->outcome() == agent::v1::CALL_OUTCOME_UNKNOWN);
  CHECK(Door::Message(client.Post(NextRound(asked)))["error"]["code"] == -32602);
  CHECK(door.Requests("tools/call").front().find("careful") != std::string::npos);
}

TEST_CASE("a session that ends in the middle of a call's rounds leaves it of unknown outcome",
          "[agent][reserve]") {
  Door door(kConfig, kEffects, false, "", ServerEras::kModern);
  AskFirst(door);
  Reserved reserved(door);
  MayIdle(door, absl::Seconds(2));
  ModernClient(door).Post(Careful());
  CHECK(IsSettled(door, reserved.all().at(0).call_id(), agent::v1::CALL_OUTCOME_UNKNOWN));
}

TEST_CASE("a call that is let through and not sent is released", "[agent][reserve]") {
  Door door(kConfig, kEffects, false, "", ServerEras::kModern);
  AskFirst(door);
  Reserved reserved(door);
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const ModernClient client(door);
  client.Post(Careful());
  CHECK(ReasonOf(client.Post(Careful())) == "limit_exceeded");
  CHECK(door.Seen("tools/call") == 1);
  REQUIRE(reserved.all().size() == 2);
  CHECK(IsSettled(door, reserved.all()[1].call_id(), agent::v1::CALL_OUTCOME_NOT_FORWARDED));
}

TEST_CASE("an approval binds all that reaches the server", "[agent][reserve]") {
  Door door(kConfig, kEffects);
  std::mutex mutex;
  std::vector<agent::v1::RequestCallApprovalRequest> asked;
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    std::lock_guard lock(mutex);
    asked.push_back(request);
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    response.mutable_approval()->set_state(APPROVAL_STATE_APPROVED);
    return response;
  });
  Reserved reserved(door);
  const Door::Bot bot = door.Connect();
  const auto call = [&](const std::string& more) {
    bot.Post(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete","arguments":{"id":1})" +
        more + "}}");
    std::lock_guard lock(mutex);
    return asked.back();
  };
  const auto plain = call("");
  CHECK(plain.other_params().empty());
  CHECK(call(R"(,"_meta":{"progressToken":7})").arguments_digest() == plain.arguments_digest());
  const auto with_meta = call(R"(,"_meta":{"vendor/force":true})");
  CHECK(with_meta.arguments_digest() != plain.arguments_digest());
  CHECK(with_meta.call_digest() != plain.call_digest());
  CHECK(Json::parse(with_meta.other_params()) == Json{{"_meta", {{"vendor/force", true}}}});
  const auto with_more = call(R"(,"inputResponses":{"q":{"action":"accept"}})");
  CHECK(with_more.arguments_digest() != plain.arguments_digest());
  CHECK(with_more.arguments_digest() != with_meta.arguments_digest());
}

}  // namespace
}  // namespace sallyport
