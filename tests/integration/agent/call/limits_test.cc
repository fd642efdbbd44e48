// How many calls may go out, within a time and at a time.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <memory>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using enum types::v1::ApprovalState;
using enum types::v1::DenialReason;
using enum types::v1::RecordType;

constexpr char kConfig[] =
    "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
    "20}";

std::string PolicyWith(const std::string& limits) {
  return R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  session: {limits: [)" +
         limits + R"(]}
  rules:
    - allow: {tools: [echo]}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
)";
}

Json ResultOf(const HttpClient::Answer& answer) { return Door::Message(answer)["result"]; }
TEST_CASE("a limit of the server's document is named as that", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: session, calls: 2, within: 1h}") +
                         "---\nkind: Server\nname: wiki\nspec: {limits: [{per: session, calls: 1, "
                         "within: 1h}]}\n");
  const Door::Bot bot = door.Connect();
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  const auto refused = bot.Post(Door::Call("echo"));
  CHECK(ReasonOf(refused) == "limit_exceeded");
  CHECK(ResultOf(refused)["_meta"]["policy"] == "server/wiki");
}

TEST_CASE("a call beyond the rate is refused, and told when to come again", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: session, calls: 2, within: 1h}"));
  const Door::Bot bot = door.Connect();
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  const auto refused = bot.Post(Door::Call("echo"));
  CHECK(ResultOf(refused)["isError"] == true);
  CHECK(ReasonOf(refused) == "limit_exceeded");
  const Json meta = ResultOf(refused)["_meta"];
  CHECK(meta["policy"] == "bots");
  CHECK_THAT(ResultOf(refused)["content"][0]["text"].get<std::string>(),
             Catch::Contains("2 calls within 1h") &&
                 Catch::Contains("after " + meta["retryAt"].get<std::string>()));
  CHECK(door.Seen("tools/call") == 2);
  // What is not counted is not limited.
  CHECK(Door::Message(bot.Post(R"({"jsonrpc":"2.0","id":9,"method":"tools/list"})"))
            .contains("result"));
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_LIMIT_EXCEEDED));
}

TEST_CASE("a new session of the principal starts from what the last one did", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: principal, calls: 1, within: 1h}"));
  const Door::Bot first = door.Connect();
  CHECK(ResultOf(first.Post(Door::Call("echo"))).contains("content"));
  CHECK(first.Delete().status == 204);
  REQUIRE(door.control.AwaitEnd());
  const Door::Bot second = door.Connect();
  CHECK(ReasonOf(second.Post(Door::Call("echo"))) == "limit_exceeded");
  // Another principal has a count of its own.
  const Door::Bot other = door.Connect("other");
  CHECK(ResultOf(other.Post(Door::Call("echo"))).contains("content"));
  CHECK(door.Seen("tools/call") == 2);
}

TEST_CASE("a session's limit goes on in the session that is opened after it", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: session, calls: 1, within: 1h}"));
  const Door::Bot first = door.Connect();
  CHECK(ResultOf(first.Post(Door::Call("echo"))).contains("content"));
  CHECK(ReasonOf(first.Post(Door::Call("echo"))) == "limit_exceeded");
  CHECK(first.Delete().status == 204);
  REQUIRE(door.control.AwaitEnd());
  CHECK(ReasonOf(door.Connect().Post(Door::Call("echo"))) == "limit_exceeded");
  CHECK(ResultOf(door.Connect("other").Post(Door::Call("echo"))).contains("content"));
}

TEST_CASE("an agent that was killed gives no call back", "[agent][limits]") {
  Door door(kConfig,
            PolicyWith("{per: principal, calls: 2, within: 1h}, {per: session, calls: 1, within: "
                       "1h}"));
  const Door::Bot first = door.Connect();
  CHECK(ResultOf(first.Post(Door::Call("echo"))).contains("content"));
  door.agent->Stop(SIGKILL);
  const std::size_t logged = door.agent->log().size();
  door.agent->Start();
  REQUIRE(door.agent->AwaitLog("control_plane_connected", logged));
  const auto refused = door.Connect().Post(Door::Call("echo"));
  CHECK(ReasonOf(refused) == "limit_exceeded");
  CHECK(ResultOf(refused)["_meta"].contains("retryAt"));
  const Door::Bot other = door.Connect("other");
  CHECK(ResultOf(other.Post(Door::Call("echo"))).contains("content"));
  CHECK(door.Seen("tools/call") == 2);
}

TEST_CASE("a call that cannot be counted does not go out", "[agent][limits]") {
  if (geteuid() != 0) return;  // it takes root to make a disk that is full from the start
  Door door(kConfig, PolicyWith("{per: principal, calls: 9, within: 1h}"));
  door.agent->Stop(SIGKILL);
  REQUIRE(unlink(door.agent->data("call-counts").c_str()) == 0);
  REQUIRE(mknod(door.agent->data("call-counts").c_str(), S_IFCHR | 0600, makedev(1, 7)) == 0);
  door.agent->Start();
  const Door::Bot bot = door.Connect();
  const auto refused = bot.Post(Door::Call("echo"));
  CHECK(ReasonOf(refused) == "recorder_unavailable");
  CHECK(refused.body.find("its disk is full") != std::string::npos);
  CHECK(refused.body.find("call-counts") == std::string::npos);
  CHECK(door.agent->AwaitLog("calls_not_counted", 0));
  CHECK(door.Seen("tools/call") == 0);
  // Nobody waits for what counts under no limit.
  CHECK(Door::Message(bot.Post(R"({"jsonrpc":"2.0","id":9,"method":"tools/list"})"))
            .contains("result"));
}

TEST_CASE("no more calls are without an answer than may be", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: session, concurrent: 1}"));
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("id", Json()) != 7) return std::nullopt;
    return EventsOf({Json{{"jsonrpc", "2.0"},
                          {"method", "notifications/message"},
                          {"params", {{"level", "info"}, {"data", "at it"}}}}},
                    /*ends=*/false);
  });
  HttpClient slow(door.agent->port());
  slow.Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 7)}));
  REQUIRE(door.AwaitRequests("tools/call", 1));
  slow.ReadUntil("at it");
  const auto refused = bot.Post(Door::Call("echo"));
  CHECK(ReasonOf(refused) == "limit_exceeded");
  CHECK_FALSE(ResultOf(refused)["_meta"].contains("retryAt"));
  CHECK(door.Seen("tools/call") == 1);
  // Its answer is lost, and it may go on: now time alone is in the way.
  door.DropServerConnections();
  slow.ReadRest();
  const auto later = bot.Post(Door::Call("echo"));
  CHECK(ReasonOf(later) == "limit_exceeded");
  CHECK(ResultOf(later)["_meta"].contains("retryAt"));
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("long requests of one principal are read while there is room for them",
          "[agent][limits]") {
  Door door(kConfig);
  const Door::Bot bot = door.Connect();
  const std::string ping = R"({"jsonrpc":"2.0","id":7,"method":"ping"})";
  std::string head = door.Bytes({.token = bot.token, .session_id = bot.session_id});
  const std::string length = "Content-Length: ";
  head.replace(head.find(length) + length.size(), 1, std::to_string(15 << 20));
  std::deque<HttpClient> senders;
  for (int i = 0; i < 4; ++i) {
    senders.emplace_back(door.agent->port()).Send(head);
    // Whoever comes later is answered: the head has been read.
    CHECK(bot.Post(ping).status == 200);
  }
  HttpClient one_more(door.agent->port());
  one_more.Send(head);
  const HttpClient::Answer refused = one_more.Read();
  CHECK(refused.status == 503);
  CHECK(refused.body.find("limit_exceeded") != std::string::npos);
  const std::string long_ping = ping + std::string(5 << 20, ' ');
  CHECK(bot.Post(long_ping).status == 503);
  senders.clear();
  const absl::Time until = absl::Now() + absl::Seconds(5);
  while (bot.Post(long_ping).status != 200) REQUIRE(absl::Now() < until);
}

// A server that makes a task of each call, numbered from 1.
Door::Awkward MakesTasks(bool is_modern) {
  return [is_modern, made = std::make_shared<std::atomic<int>>(0)](
             const Json& message) -> std::optional<RawHttpServer::Reply> {
    const std::string method = message.value("method", "");
    if (method == "tasks/get") {
      return sallyport::ResultOf(message, {{"taskId", message["params"]["taskId"]},
                                           {"status", "completed"},
                                           {"resultType", "complete"}});
    }
    // In the modern era the server only says that it has heard.
    if (method == "tasks/cancel" && is_modern) {
      return sallyport::ResultOf(message, {{"resultType", "complete"}});
    }
    if (method == "tasks/cancel") {
      return sallyport::ResultOf(
          message, {{"taskId", message["params"]["taskId"]}, {"status", "cancelled"}});
    }
    if (method != "tools/call") return std::nullopt;
    Json task = {{"taskId", "t-" + std::to_string(++*made)}, {"status", "working"}};
    if (!is_modern) return sallyport::ResultOf(message, {{"task", task}});
    task["resultType"] = "task";
    return sallyport::ResultOf(message, task);
  };
}

std::string TaskPolicy() {
  std::string policy = PolicyWith("{per: session, concurrent: 1}");
  return policy.replace(policy.find("tools: [echo]"), 13, R"(tools: [echo], methods: ["tasks/*"])");
}

TEST_CASE("a call that its server runs as a task counts until the task is over",
          "[agent][limits]") {
  Door door(kConfig, TaskPolicy());
  door.set_awkward(MakesTasks(false));
  const Door::Bot bot = door.Connect();
  const std::string call =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","task":{}}})";
  const auto ask = [&](const std::string& method) {
    return bot.Post(R"({"jsonrpc":"2.0","id":2,"method":")" + method +
                    R"(","params":{"taskId":"t-1"}})");
  };
  CHECK(ResultOf(bot.Post(call))["task"]["taskId"] == "t-1");
  CHECK(bot.Post(call).body.find("limit_exceeded") != std::string::npos);
  CHECK(door.Seen("tools/call") == 1);
  SECTION("as it is asked for") { CHECK(ResultOf(ask("tasks/get"))["status"] == "completed"); }
  SECTION("its result is there") { CHECK(ask("tasks/result").status == 200); }
  SECTION("it is cancelled") { CHECK(ask("tasks/cancel").status == 200); }
  CHECK(ResultOf(bot.Post(call))["task"]["taskId"] == "t-2");
}

TEST_CASE("a task of the modern era counts until it is over, too", "[agent][limits]") {
  Door door(kConfig, TaskPolicy(), false, "", ServerEras::kModern);
  door.set_awkward(MakesTasks(true));
  const ModernClient client(door);
  ModernClient::Ask call = ModernClient::Call("echo");
  call.capabilities = {{"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};
  ModernClient::Ask get = {.method = "tasks/get", .params = {{"taskId", "t-1"}}};
  get.capabilities = call.capabilities;
  get.name_field = "t-1";
  ModernClient::Ask cancel = get;
  cancel.method = "tasks/cancel";
  CHECK(ResultOf(client.Post(call))["taskId"] == "t-1");
  CHECK(ReasonOf(client.Post(call)) == "limit_exceeded");
  CHECK(client.Post(cancel).status == 200);
  CHECK(ReasonOf(client.Post(call)) == "limit_exceeded");
  CHECK(ResultOf(client.Post(get))["status"] == "completed");
  CHECK(ResultOf(client.Post(call))["taskId"] == "t-2");
}

// Keeps the server at work on every call of a tool for as long as it lives.
class BusyServer {
 public:
  explicit BusyServer(Door& door) {
    door.set_awkward([until = done_.get_future().share()](
                         const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") == "tools/call") until.wait();
      return std::nullopt;
    });
  }
  ~BusyServer() { done_.set_value(); }

 private:
  std::promise<void> done_;
};

TEST_CASE("a call that nobody waits for keeps its place, however it was left", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: principal, concurrent: 1}"));
  const BusyServer busy(door);
  const Door::Bot bot = door.Connect();
  std::optional<HttpClient> slow(std::in_place, door.agent->port());
  slow->Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 7)}));
  REQUIRE(door.AwaitRequests("tools/call", 1));
  SECTION("its MCP session is deleted, and with it the session") {
    CHECK(bot.Delete().status == 204);
    REQUIRE(door.control.AwaitEnd());
  }
  SECTION("its MCP session is deleted, and another one goes on") {
    const Door::Bot other = door.Connect();
    CHECK(bot.Delete().status == 204);
    CHECK(ReasonOf(other.Post(Door::Call("echo"))) == "limit_exceeded");
  }
  SECTION("it is taken back, and then its MCP session is deleted") {
    CHECK(
        bot.Post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})")
            .status == 202);
    slow->ReadRest();
    CHECK(bot.Delete().status == 204);
    REQUIRE(door.control.AwaitEnd());
  }
  SECTION("its client goes") { slow.reset(); }
  const Door::Bot again = door.Connect();
  CHECK(ReasonOf(again.Post(Door::Call("echo"))) == "limit_exceeded");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a modern call that its client leaves keeps its place", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: principal, concurrent: 1}"), false, "", ServerEras::kModern);
  const ModernClient client(door);
  // Its session is there.
  client.Post({.method = "tools/list"});
  const BusyServer busy(door);
  {
    const auto slow = client.Send(ModernClient::Call("echo"));
    REQUIRE(door.AwaitRequests("tools/call", 1));
  }
  for (int i = 0; i < 5; ++i) {
    CHECK(ReasonOf(client.Post(ModernClient::Call("echo"))) == "limit_exceeded");
  }
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a call that waits for a person takes no place from the others", "[agent][limits]") {
  Door door(kConfig,
            PolicyWith("{per: session, concurrent: 1}, {per: session, calls: 2, within: 1h}"));
  const Door::Bot bot = door.Connect();
  HttpClient waiting(door.agent->port());
  waiting.Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("delete", "{}", 7)}));
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  // Now the limit is reached, and the approval is not used up over it.
  bool was_used = false;
  door.control.set_reserver([&](const auto&) {
    was_used = true;
    return FakeControlPlane::Reserved(DENIAL_REASON_UNSPECIFIED);
  });
  approval->set_state(APPROVAL_STATE_APPROVED);
  door.control.PushApproval(*approval);
  const auto answer = waiting.Read();
  CHECK(ReasonOf(answer) == "limit_exceeded");
  CHECK(ResultOf(answer)["_meta"]["approvalId"] == approval->id());
  CHECK_FALSE(was_used);
}

TEST_CASE("a call that never went out has not been one", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: session, calls: 1, within: 1h}"));
  const Door::Bot bot = door.Connect();
  door.control.set_asker([](const agent::v1::RequestCallApprovalRequest& request) {
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    response.mutable_approval()->set_state(APPROVAL_STATE_APPROVED);
    return response;
  });
  door.control.set_reserver(
      [](const auto&) { return FakeControlPlane::Reserved(DENIAL_REASON_APPROVAL_CONSUMED); });
  CHECK(ReasonOf(bot.Post(Door::Call("delete"))) == "approval_consumed");
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "limit_exceeded");
}

TEST_CASE("a server's document limits whoever uses it", "[agent][limits]") {
  Door door(kConfig, R"(
kind: Policy
name: bots
spec: {principals: [{realm: okta}], servers: [wiki], rules: [{allow: {tools: [echo]}}]}
---
kind: Server
name: wiki
spec: {limits: [{per: principal, calls: 1, within: 1m}]}
)");
  const Door::Bot bot = door.Connect();
  CHECK(ResultOf(bot.Post(Door::Call("echo"))).contains("content"));
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "limit_exceeded");
}

TEST_CASE("a call that its client took back keeps its place for a while", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: session, concurrent: 1}"));
  const Door::Bot bot = door.Connect();
  // The server takes its time over it, whatever it is told.
  std::promise<void> done;
  door.set_awkward([&](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") == "tools/call") done.get_future().wait();
    return std::nullopt;
  });
  HttpClient slow(door.agent->port());
  slow.Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 7)}));
  REQUIRE(door.AwaitRequests("tools/call", 1));
  CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})")
            .status == 202);
  slow.ReadRest();
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "limit_exceeded");
  CHECK(door.Seen("tools/call") == 1);
  done.set_value();
}

// Of one principal, whatever its client.
Door::Bot ConnectAs(Door& door, const std::string& client) {
  door.control.set_opener([&door](const access::v1::OpenSessionRequest& request) {
    types::v1::Session session =
        door.control.ActiveSession("wiki", FakeControlPlane::ClientOf(request.token()));
    session.mutable_principal()->set_subject("bot");
    return door.control.Active(session);
  });
  Door::Bot bot{&door, door.control.Token("bot", absl::Minutes(10), {{"client_id", client}}), {}};
  bot.session_id = door.Send({.token = bot.token, .body = Door::Initialize()}).session_id;
  return bot;
}

TEST_CASE("a principal's limit counts whatever client it comes through", "[agent][limits]") {
  Door door(kConfig, PolicyWith("{per: principal, calls: 1, within: 1h}"));
  CHECK(ResultOf(ConnectAs(door, "bot").Post(Door::Call("echo"))).contains("content"));
  CHECK(ReasonOf(ConnectAs(door, "other-client").Post(Door::Call("echo"))) == "limit_exceeded");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a principal's other sessions, under other limits, make none of its calls forgotten",
          "[agent][limits]") {
  const std::string other_limits =
      GENERATE("", "session: {limits: [{per: session, concurrent: 4}]}",
               "session: {limits: [{per: principal, calls: 3, "
               "within: 1s}]}");
  Door door(kConfig, R"(
kind: Policy
name: limited
spec:
  principals: [{realm: okta, client_ids: [bot]}]
  servers: [wiki]
  session: {limits: [{per: principal, calls: 3, within: 1h}]}
  rules: [{allow: {tools: [echo]}}]
---
kind: Policy
name: others
spec:
  principals: [{realm: okta, client_ids: [other-client]}]
  servers: [wiki]
  )" + other_limits + R"(
  rules: [{allow: {tools: [echo]}}]
)");
  const Door::Bot limited = ConnectAs(door, "bot");
  const Door::Bot other = ConnectAs(door, "other-client");
  CHECK(ResultOf(limited.Post(Door::Call("echo"))).contains("content"));
  CHECK(ResultOf(limited.Post(Door::Call("echo"))).contains("content"));
  CHECK(ResultOf(other.Post(Door::Call("echo"))).contains("content"));
  CHECK(ReasonOf(limited.Post(Door::Call("echo"))) == "limit_exceeded");
  CHECK(door.Seen("tools/call") == 3);
}

}  // namespace
}  // namespace sallyport
