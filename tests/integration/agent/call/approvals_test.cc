// What a call's approval binds, and what its approver and the control plane are shown of it.
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using enum types::v1::ApprovalState;

constexpr char kConfig[] =
    "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
    "20}";
constexpr char kAsking[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [refund], once: {by: [/payment_id], within: 24h}}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
)";

Json AnswerOf(const HttpClient::Answer& answer) { return Door::Message(answer)["result"]; }
// Asks for an approval of each call, which is given at once.
struct Approving {
  explicit Approving(Door& door) {
    door.control.set_asker([this](const agent::v1::RequestCallApprovalRequest& request) {
      std::lock_guard lock(mutex);
      asked.push_back(request);
      agent::v1::RequestCallApprovalResponse response;
      *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
      response.mutable_approval()->set_state(APPROVAL_STATE_APPROVED);
      return response;
    });
  }
  std::optional<agent::v1::RequestCallApprovalRequest> last() {
    std::lock_guard lock(mutex);
    return asked.empty() ? std::nullopt : std::optional(asked.back());
  }
  std::mutex mutex;
  std::vector<agent::v1::RequestCallApprovalRequest> asked;
};

TEST_CASE("an approval binds and shows what is no target of its method", "[agent][approvals]") {
  Door door(kConfig, kAsking);
  Approving approving(door);
  const Door::Bot bot = door.Connect();
  std::set<std::string> digests;
  for (const Json& more : std::vector<Json>{{{"uri", "file:///a"}},
                                            {{"uri", "file:///b"}},
                                            {{"ref", {{"a", 1}}}},
                                            {{"requestState", "s"}},
                                            {{"_meta", {{"io.modelcontextprotocol/x", 1}}}},
                                            {{"_meta", {{"baggage", "dry=1"}}}}}) {
    Json params = more;
    params["name"] = "delete";
    params["arguments"] = Json::object();
    const Json call = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", "tools/call"}, {"params", params}};
    CHECK(AnswerOf(bot.Post(call.dump())).contains("content"));
    REQUIRE(approving.last());
    CHECK(Json::parse(approving.last()->other_params()) == more);
    CHECK(digests.insert(approving.last()->arguments_digest()).second);
  }
}

TEST_CASE("a call with members that nobody could be shown is not asked about",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  Approving approving(door);
  const Door::Bot bot = door.Connect();
  const auto refused = bot.Post(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"},"more":1})");
  CHECK(refused.body.find("message_invalid") != std::string::npos);
  CHECK_FALSE(approving.last());
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("where arguments are cut for the approver, the control plane is told",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  Approving approving(door);
  const Door::Bot bot = door.Connect();
  bot.Post(Door::Call("delete", R"({"id":1,"key":{"a":"AKIAZQ3DRSTUVWXY2LMN"}})"));
  REQUIRE(approving.last());
  CHECK(approving.last()->arguments().find("AKIA") == std::string::npos);
  REQUIRE(approving.last()->cut_size() == 1);
  CHECK(approving.last()->cut(0) == "/key/a");
  CHECK(approving.last()->judged_by().version() > 0);
  bot.Post(Door::Call("delete", R"({"id":2})"));
  CHECK(approving.last()->cut().empty());
}

TEST_CASE("calls that come at once wait in no more places than those that come one by one",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  const Door::Bot bot = door.Connect();
  // All of them arrive before the first answer does.
  std::atomic<int> asked = 0;
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    ++asked;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    return response;
  });
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<HttpClient>(door.agent->port()));
    clients.back()->Send(
        door.Bytes({.token = bot.token,
                    .session_id = bot.session_id,
                    .body = Door::Call("delete", R"({"n":)" + std::to_string(i) + "}", 100 + i)}));
  }
  int refused = 0;
  for (int tries = 0; tries < 400 && refused < 4; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
    refused = 0;
    for (const types::v1::Record& record : door.control.records()) {
      types::v1::RecordContent content;
      content.ParseFromString(record.payload());
      refused += content.denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED ? 1 : 0;
    }
  }
  CHECK(refused == 4);
  CHECK(asked == 8);
}

TEST_CASE("a decision that overtakes the answer to its question stands", "[agent][approvals]") {
  Door door(HoldFor(1), kAsking);
  const Door::Bot bot = door.Connect();
  std::optional<types::v1::Approval> approval;
  const auto decided = GENERATE(APPROVAL_STATE_APPROVED, APPROVAL_STATE_DENIED);
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    if (!approval) approval = FakeControlPlane::PendingApproval(request);
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = *approval;
    return response;
  });
  CHECK(ReasonOf(bot.Post(Door::Call("delete"))) == "approval_pending");
  types::v1::Approval told = *approval;
  told.set_state(decided);
  door.control.PushApproval(told);
  // The agent has it with the next snapshot at the latest.
  REQUIRE(door.AwaitSnapshot(door.control.Apply(kAsking, {"wiki"})));
  const auto answer = bot.Post(Door::Call("delete", "{}", 2));
  if (decided == APPROVAL_STATE_APPROVED) {
    CHECK(AnswerOf(answer).contains("content"));
    CHECK(ReasonOf(answer).empty());
  } else {
    CHECK(ReasonOf(answer) == "approval_denied");
  }
}

TEST_CASE("what is too long to be shown is refused as that", "[agent][approvals]") {
  Door door(kConfig, kAsking);
  Approving approving(door);
  const Door::Bot bot = door.Connect();
  const std::string text(1u << 20, 'z');
  CHECK(ReasonOf(bot.Post(Door::Call("delete", R"({"k":")" + text + "\"}"))) ==
        "message_too_large");
  CHECK(ReasonOf(bot.Post(Door::Call("refund", R"({"payment_id":1,"items":[1],"k":")" + text +
                                                   "\"}"))) == "message_too_large");
  CHECK_FALSE(approving.last());
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a call hears of the decision that fell while its agent heard nothing",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  const Door::Bot bot = door.Connect();
  HttpClient client(door.agent->port());
  client.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("delete")}));
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  // The agent has learnt of it.
  REQUIRE(door.control.AwaitRecord(types::v1::RECORD_TYPE_APPROVAL,
                                   types::v1::DENIAL_REASON_UNSPECIFIED));
  SECTION("denied") {
    approval->set_state(APPROVAL_STATE_DENIED);
    types::v1::ApprovalDecision& no = *approval->add_decisions();
    no.set_reason("not on a Friday");
    no.mutable_by()->set_realm("okta");
    no.mutable_by()->set_subject("bob");
    door.control.ResyncWithout(*approval);
    const Json result = AnswerOf(client.Read());
    CHECK(result["_meta"]["reason"] == "approval_denied");
    CHECK(result.dump().find("denied by okta:bob: not on a Friday") != std::string::npos);
    CHECK(door.Seen("tools/call") == 0);
  }
  SECTION("taken back") {
    approval->set_state(APPROVAL_STATE_REVOKED);
    door.control.ResyncWithout(*approval);
    CHECK(AnswerOf(client.Read())["_meta"]["reason"] == "approval_revoked");
    CHECK(door.Seen("tools/call") == 0);
  }
  SECTION("lost with a restore of the control plane") {
    types::v1::Approval other = *approval;
    other.set_id("apr_other");
    door.control.ResyncWithout(other);
    CHECK(AnswerOf(client.Read())["_meta"]["reason"] == "approval_revoked");
    CHECK(door.Seen("tools/call") == 0);
  }
  SECTION("approved") {
    approval->set_state(APPROVAL_STATE_APPROVED);
    door.control.ResyncWithout(*approval);
    CHECK(AnswerOf(client.Read()).contains("content"));
  }
}

TEST_CASE("a recording says who approved the session, and who approved the call",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  const Door::Bot bot = door.Connect();
  const auto open = door.control.AwaitContent(
      types::v1::RECORD_TYPE_OPEN, [](const auto& content) { return content.has_principal(); });
  REQUIRE(open);
  CHECK(open->approval_id() == "apr_session");
  REQUIRE(open->approved_by_size() == 1);
  CHECK(open->approved_by(0) == "okta:alice");
  HttpClient client(door.agent->port());
  client.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("delete")}));
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  approval->set_state(APPROVAL_STATE_APPROVED);
  types::v1::ApprovalDecision& yes = *approval->add_decisions();
  yes.set_approve(true);
  yes.mutable_by()->set_realm("okta");
  yes.mutable_by()->set_subject("bob");
  door.control.PushApproval(*approval);
  CHECK(AnswerOf(client.Read()).contains("content"));
  const auto used =
      door.control.AwaitContent(types::v1::RECORD_TYPE_APPROVAL,
                                [](const auto& content) { return content.detail() == "used"; });
  REQUIRE(used);
  REQUIRE(used->approved_by_size() == 1);
  CHECK(used->approved_by(0) == "okta:bob");
}

TEST_CASE("a call that is cancelled takes no approval from another that waits for it",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  std::mutex mutex;
  std::optional<types::v1::Approval> shared;
  std::atomic<int> asked = 0;
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    std::lock_guard lock(mutex);
    ++asked;
    if (!shared) shared = FakeControlPlane::PendingApproval(request);
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = *shared;
    return response;
  });
  const Door::Bot bot = door.Connect();
  HttpClient first(door.agent->port()), second(door.agent->port());
  int id = 6;
  for (HttpClient* client : {&first, &second}) {
    client->Send(door.Bytes({.token = bot.token,
                             .session_id = bot.session_id,
                             .body = Door::Call("delete", "{}", ++id)}));
    REQUIRE(door.control.AwaitRecords(types::v1::RECORD_TYPE_APPROVAL, id - 6));
  }
  REQUIRE(asked == 2);
  const auto cancel = [&](const std::string& request) {
    CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" +
                   request + "}}")
              .status == 202);
  };
  cancel("7");
  CHECK(first.Read().body.find("jsonrpc") == std::string::npos);
  CHECK(door.control.withdrawn().empty());
  SECTION("the other one runs with it") {
    shared->set_state(APPROVAL_STATE_APPROVED);
    door.control.PushApproval(*shared);
    CHECK(AnswerOf(second.Read()).contains("content"));
    CHECK(door.control.withdrawn().empty());
  }
  SECTION("the last one takes it back") {
    cancel("8");
    CHECK(door.control.AwaitWithdrawal(shared->id()));
    CHECK(second.Read().body.find("jsonrpc") == std::string::npos);
  }
}

TEST_CASE("a call whose approval is undecided waits on over a new stream", "[agent][approvals]") {
  Door door(kConfig, kAsking);
  const Door::Bot bot = door.Connect();
  HttpClient client(door.agent->port());
  client.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("delete")}));
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  REQUIRE(door.control.AwaitRecord(types::v1::RECORD_TYPE_APPROVAL,
                                   types::v1::DENIAL_REASON_UNSPECIFIED));
  door.control.ResyncWithout(*approval);
  REQUIRE(door.control.AwaitAskedAfter(approval->id()));
  CHECK(door.Seen("tools/call") == 0);
  approval->set_state(APPROVAL_STATE_APPROVED);
  door.control.PushApproval(*approval);
  CHECK(AnswerOf(client.Read()).contains("content"));
}

TEST_CASE("of a definition that is too long to be kept its approver reads that it is missing",
          "[agent][approvals]") {
  Door door(kConfig, kAsking);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    const Json result = {{"tools", Json::array({{{"name", "delete"},
                                                 {"description", std::string(300 << 10, 'x')},
                                                 {"inputSchema", {{"type", "object"}}}}})}};
    return RawHttpServer::Reply{
        .bytes =
            JsonReply(Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
  });
  Approving approving(door);
  CHECK(AnswerOf(door.Connect().Post(Door::Call("delete"))).contains("content"));
  const auto asked = approving.last();
  REQUIRE(asked);
  const Json shown = Json::parse(asked->tool_definition());
  REQUIRE(shown.is_string());
  CHECK_THAT(shown.get<std::string>(), Catch::Contains("longer than 256 KiB"));
  CHECK(asked->definition_hash().size() == 64);
}

}  // namespace
}  // namespace sallyport
