#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using types::v1::RecordContent;

// Salaries are masked, and only the tools that are named pass.
std::string Policy(const std::string& tools, const std::string& mask = "[secrets, house]") {
  return "kind: Policy\nname: bots\nspec:\n  principals: [{realm: okta}]\n  servers: [wiki]\n"
         "  rules: [{allow: {tools: [" +
         tools + "]}}]\n  mask: " + mask +
         "\n---\nkind: MaskProfile\nname: house\nspec: {fields: [{keys: [salary]}]}\n";
}

void Change(Door& door, const std::string& policy) {
  REQUIRE(door.AwaitSnapshot(door.control.Apply(policy, {"wiki"})));
}

std::string Echo(int id) { return Door::Call("echo", R"({"n":)" + std::to_string(id) + "}", id); }

// Under which version the record of that call says it was made. 0: there is none.
std::uint64_t VersionIn(Door& door, types::v1::RecordType type, const std::string& id) {
  const auto content = door.control.AwaitContent(type, [&](const RecordContent& each) {
    return each.method() == "tools/call" && each.rpc_id() == id;
  });
  return content.has_value() ? content->policy_version() : 0;
}

// The server answers a call of `echo` with a salary, the first one when it is told to.
class Payroll {
 public:
  explicit Payroll(Door& door) {
    door.set_awkward([this](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      if (message["id"] == 1) released_.get_future().wait();
      return RawHttpServer::Reply{JsonReply(Json{
          {"jsonrpc", "2.0"},
          {"id", message["id"]},
          {"result", {{"content", Json::array()}, {"structuredContent", {{"salary", "a lot"}}}}}}
                                                .dump())};
    });
  }
  void Release() { released_.set_value(); }

 private:
  std::promise<void> released_;
};

TEST_CASE("a new version holds from the next call of a live session, both ways",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(Echo(1))).contains("result"));
  Change(door, Policy("other"));
  CHECK(Door::Message(bot.Post(Echo(2)))["error"]["code"] ==
        -32602);  // unknown, as if it never was
  CHECK(Door::Message(bot.Post(Door::Call("other", "{}", 3))).contains("result"));
  Change(door, Policy("echo"));
  CHECK(Door::Message(bot.Post(Echo(4))).contains("result"));
  CHECK(door.control.opens() == 1);

  const std::uint64_t first = VersionIn(door, types::v1::RECORD_TYPE_REQUEST, "1");
  REQUIRE(first > 0);
  CHECK(VersionIn(door, types::v1::RECORD_TYPE_REQUEST, "3") == first + 1);
  CHECK(VersionIn(door, types::v1::RECORD_TYPE_REQUEST, "4") == first + 2);
}

TEST_CASE("a call that is under way when policy changes ends under the version that judged it",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  Payroll payroll(door);
  const Door::Bot bot = door.Connect();
  auto first = std::async(std::launch::async, [&] { return bot.Post(Echo(1)); });
  REQUIRE(door.AwaitRequests("tools/call", 1));
  // The new version masks nothing but secrets. Another call binds the session to it.
  Change(door, Policy("echo", "[secrets]"));
  const Json second = Door::Message(bot.Post(Echo(2)));
  CHECK(second["result"]["structuredContent"]["salary"] == "a lot");
  payroll.Release();
  const Json answer = Door::Message(first.get());
  CHECK(answer["result"]["structuredContent"]["salary"] == "[REDACTED:field]");

  // Each call's records name one version, its own.
  const std::uint64_t older = VersionIn(door, types::v1::RECORD_TYPE_REQUEST, "1");
  REQUIRE(older > 0);
  CHECK(VersionIn(door, types::v1::RECORD_TYPE_RESULT, "1") == older);
  CHECK(VersionIn(door, types::v1::RECORD_TYPE_REQUEST, "2") == older + 1);
  CHECK(VersionIn(door, types::v1::RECORD_TYPE_RESULT, "2") == older + 1);
}

TEST_CASE("a call under way when its tool is forbidden is answered, and the next one is refused",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  Payroll payroll(door);
  const Door::Bot bot = door.Connect();
  auto first = std::async(std::launch::async, [&] { return bot.Post(Echo(1)); });
  REQUIRE(door.AwaitRequests("tools/call", 1));
  Change(door, Policy("other"));
  CHECK(Door::Message(bot.Post(Echo(2))).contains("error"));
  payroll.Release();
  CHECK(Door::Message(first.get()).contains("result"));
  CHECK(door.Seen("tools/call") == 1);
}

// A POST whose last byte is kept back, and that the agent has begun to read.
class LatePost {
 public:
  LatePost(const Door& door, const Door::Bot& bot, const std::string& body)
      : client_(door.agent->port()),
        bytes_(door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = body})) {
    client_.Send(std::string_view(bytes_).substr(0, bytes_.size() - 1));
    // Whoever comes later is answered: the head has been read.
    CHECK(bot.Post(R"({"jsonrpc":"2.0","id":77,"method":"ping"})").status == 200);
  }
  HttpClient::Answer Finish() {
    client_.Send(std::string_view(bytes_).substr(bytes_.size() - 1));
    return client_.Read();
  }

 private:
  HttpClient client_;
  std::string bytes_;
};

TEST_CASE("a call is judged by the policy that is in force when its body has come",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  const Door::Bot bot = door.Connect();
  LatePost late(door, bot, Echo(1));
  Change(door, Policy("other"));
  CHECK(Door::Message(late.Finish())["error"]["code"] == -32602);
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a token that has expired before the body came lets nothing in",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  Door::Bot bot = door.Connect();
  // It is accepted for 30 s behind its end.
  bot.token = door.control.Token("bot", absl::Seconds(-26));
  LatePost late(door, bot, Echo(1));
  absl::SleepFor(absl::Seconds(5));
  const auto refused = late.Finish();
  CHECK(refused.status == 401);
  CHECK(refused.body.find("token_expired") != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);
}

// The `n`th thing that a server says on its stream; it wants to be asked for the next one.
RawHttpServer::Reply News(int n) {
  const std::string event = std::string("retry: ") + (n < 3 ? "50" : "60000") + "\nid: u" +
                            std::to_string(n) +
                            R"(
data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"news )" +
                            std::to_string(n) + "\"}}\n\n";
  return {.bytes =
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
              "chunked\r\n\r\n" +
              HttpChunk(event) + "0\r\n\r\n"};
}

TEST_CASE("a client that no policy names any more hears nothing of its server",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  std::promise<void> deleted, restored;
  door.set_stream([after_one = deleted.get_future().share(),
                   after_two = restored.get_future().share()](const std::string& request) {
    if (request.find("Last-Event-ID: u2\r\n") != std::string::npos) {
      after_two.wait();
      return News(3);
    }
    if (request.find("Last-Event-ID: u1\r\n") == std::string::npos) return News(1);
    after_one.wait();
    return News(2);
  });
  const Door::Bot bot = door.Connect();
  CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status == 202);
  HttpClient stream(door.agent->port());
  stream.Send(door.Bytes({.method = "GET", .token = bot.token, .session_id = bot.session_id}));
  CHECK(stream.ReadUntil("news 1").is_stream());
  Change(door,
         "kind: Policy\nname: others\nspec: {principals: [{realm: okta, client_ids: [other]}], "
         "servers: [wiki], rules: [{allow: {tools: [echo]}}]}\n");
  deleted.set_value();
  while (!door.SawText("Last-Event-ID: u2")) std::this_thread::yield();
  CHECK(bot.Post(Echo(1)).status == 404);
  Change(door, Policy("echo"));
  restored.set_value();
  const auto heard = stream.ReadOn("news 3");
  CHECK(heard.body.find("news 1") != std::string::npos);
  CHECK(heard.body.find("news 2") == std::string::npos);
  CHECK(heard.body.find("news 3") != std::string::npos);
}

constexpr char kReaders[] =
    "kind: Policy\nname: readers\nspec:\n  principals: [{realm: okta, scopes: [mcp.use]}]\n"
    "  servers: [wiki]\n  rules: [{allow: {tools: [echo]}}]\n";

std::string Writers(const std::string& session) {
  return std::string(kReaders) +
         "---\nkind: Policy\nname: writers\nspec:\n  principals: [{realm: okta, scopes: "
         "[mcp.write]}]\n"
         "  servers: [wiki]\n  session: {" +
         session + "}\n  rules: [{allow: {tools: [deploy]}}]\n";
}

TEST_CASE("a session that was opened with a lesser token stays lesser", "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}",
            Writers("approval: {approvers: [\"okta:leads\"]}"));
  Door::Bot bot = door.Connect();
  bot.token = door.control.Token("bot", absl::Minutes(10), {{"scope", "mcp.use mcp.write"}});
  CHECK(Door::Message(bot.Post(Door::Call("echo"))).contains("result"));
  const Json refused = Door::Message(bot.Post(Door::Call("deploy", "{}", 2)))["result"];
  CHECK(refused["isError"] == true);
  CHECK(refused.dump().find("was opened with a token that had not this right") !=
        std::string::npos);
  // Another MCP session of it is no way around.
  bot.session_id = door.Send({.token = bot.token, .body = Door::Initialize()}).session_id;
  REQUIRE_FALSE(bot.session_id.empty());
  CHECK(Door::Message(bot.Post(Door::Call("deploy", "{}", 3)))["result"]["isError"] == true);
  CHECK(door.control.opens() == 1);
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a session ends when a new version asks for an approval that it has not had",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", kReaders);
  door.control.set_opener([&](const access::v1::OpenSessionRequest& request) {
    types::v1::Session session =
        door.control.ActiveSession("wiki", FakeControlPlane::ClientOf(request.token()));
    session.mutable_terms()->clear_approval();
    return door.control.Active(session);
  });
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(Door::Call("echo"))).contains("result"));
  SECTION("at once") {
    Change(door, std::string(kReaders) +
                     "  session: {bind: principal, approval: {approvers: [\"okta:leads\"]}}\n");
  }
  SECTION("or when its trial is over") {
    const std::string until =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now() + absl::Seconds(6), absl::UTCTimeZone());
    Change(door, std::string(kReaders) +
                     "  session: {bind: principal, approval: {approvers: [\"okta:leads\"]}}\n  "
                     "observe_until: " +
                     until + "\n");
    CHECK(Door::Message(bot.Post(Door::Call("echo", "{}", 2))).contains("result"));
    absl::SleepFor(absl::Milliseconds(6100));
  }
  const auto ended = bot.Post(Door::Call("echo", "{}", 3));
  INFO(ended.body);
  CHECK(ended.status == 404);
  CHECK(ended.body.find("ask for an approval that the session has not had") != std::string::npos);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_REVOKED);
}

TEST_CASE("a session that was opened before the policies asked for more is not begun",
          "[agent][policy_change]") {
  const ServerEras eras = GENERATE(ServerEras::kLegacy, ServerEras::kModern);
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}",
            std::string(kReaders) +
                "  session: {bind: principal, approval: {approvers: [\"okta:leads\"]}}\n",
            false, "", eras);
  std::atomic<int> asked = 0;
  door.control.set_opener([&](const access::v1::OpenSessionRequest& request) {
    types::v1::Session session =
        door.control.ActiveSession("wiki", FakeControlPlane::ClientOf(request.token()));
    session.mutable_terms()->mutable_approval()->set_approvers(0, "okta:leads");
    if (asked++ == 0) session.mutable_terms()->clear_approval();
    return door.control.Active(session);
  });
  if (eras == ServerEras::kLegacy) {
    CHECK(Door::Message(door.Connect().Post(Door::Call("echo"))).contains("result"));
    CHECK(door.Seen("initialize") == 1);
  } else {
    const ModernClient client(door);
    CHECK(Door::Message(client.Post(ModernClient::Call("echo"))).contains("result"));
  }
  CHECK(asked == 2);
  CHECK(door.Seen("tools/call") == 1);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->detail.find("ask for an approval that the session has not had") != std::string::npos);
}

TEST_CASE("a token that no policy of the session names is refused as if there were no session",
          "[agent][policy_change]") {
  const ServerEras eras = GENERATE(ServerEras::kLegacy, ServerEras::kModern);
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", kReaders, false, "", eras);
  const std::string other = door.control.Token("bot", absl::Minutes(10), {{"scope", "mcp.other"}});
  const auto is_refused = [](const HttpClient::Answer& answer) {
    INFO(answer.body);
    CHECK(answer.status == 403);
    CHECK(answer.challenge.find("insufficient_scope") != std::string::npos);
    CHECK(answer.challenge.find("mcp.use") != std::string::npos);
  };
  if (eras == ServerEras::kLegacy) {
    Door::Bot bot = door.Connect();
    CHECK(Door::Message(bot.Post(Door::Call("echo"))).contains("result"));
    bot.token = other;
    is_refused(bot.Post(Door::Call("echo", "{}", 2)));
    is_refused(door.Send({.token = other, .body = Door::Initialize()}));
    CHECK(door.Seen("initialize") == 1);
  } else {
    const ModernClient client(door);
    CHECK(Door::Message(client.Post(ModernClient::Call("echo"))).contains("result"));
    Door::Request request = client.Make(ModernClient::Call("echo"));
    request.token = other;
    is_refused(door.Send(request));
  }
  CHECK(door.control.opens() == 1);
  CHECK(door.Seen("tools/call") == 1);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL,
                                 types::v1::DENIAL_REASON_SCOPE_MISSING));
}

// Calls of `echo` made of what detectors look for, for each of which the masker takes a fifth of a
// second, one after the other. They are on their way when this returns.
class LongCalls {
 public:
  static constexpr int kCalls = 6;
  LongCalls(Door& door, const Door::Bot& bot) {
    std::string text;
    while (text.size() < 1 << 20) text += "://a:b@c";
    for (int id = 1; id <= kCalls; ++id) {
      clients_.push_back(std::make_unique<HttpClient>(door.agent->port()));
      clients_.back()->Send(
          door.Bytes({.token = bot.token,
                      .session_id = bot.session_id,
                      .body = Door::Call("echo", R"({"n":")" + text + "\"}", id)}));
    }
  }
  std::vector<Json> Answers() {
    std::vector<Json> answers;
    for (const auto& client : clients_) answers.push_back(Door::Message(client->Read()));
    return answers;
  }

 private:
  std::vector<std::unique_ptr<HttpClient>> clients_;
};

TEST_CASE("a long call that waits while policy comes to deny it is not sent",
          "[agent][policy_change]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  const Door::Bot bot = door.Connect();
  LongCalls calls(door, bot);
  Change(door, Policy("other"));
  // What was past its masking by then was let out by what was in force.
  const int before = door.Seen("tools/call");
  int refused = 0;
  for (const Json& answer : calls.Answers()) {
    refused += answer.contains("error") && answer["error"]["code"] == -32602;
  }
  CHECK(refused >= LongCalls::kCalls / 2);
  CHECK(door.Seen("tools/call") <= before + 1);
  CHECK(door.Seen("tools/call") + refused == LongCalls::kCalls);
}

TEST_CASE("a long call that waits while policy comes to ask more of it is to be made again",
          "[agent][policy_change]") {
  const std::string more = GENERATE(
      "require_approval: {tools: [echo], approvers: [\"okta:approvers\"]}",
      "allow: {tools: [echo], once: {by: [/n]}}", "allow: {tools: [echo], on_unknown: deny}");
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", Policy("echo"));
  const Door::Bot bot = door.Connect();
  LongCalls calls(door, bot);
  Change(door,
         "kind: Policy\nname: bots\nspec:\n  principals: [{realm: okta}]\n"
         "  servers: [wiki]\n  rules: [{" +
             more + "}]\n");
  // What had been let out by then was answered; what came too late for the policies before may have
  // been refused by those in force, which want a call that people can read.
  int sent = 0;
  int changed = 0;
  int too_late = 0;
  for (const Json& answer : calls.Answers()) {
    REQUIRE(answer.contains("result"));
    const bool is_refused = answer["result"].value("isError", false);
    const Json reason = is_refused ? answer["result"]["_meta"]["reason"] : Json();
    sent += !is_refused;
    changed += reason == "policy_changed";
    too_late += reason == "message_too_large";
  }
  CHECK(changed >= 1);
  CHECK(sent + changed + too_late == LongCalls::kCalls);
  CHECK(door.Seen("tools/call") == sent);
}

}  // namespace
}  // namespace sallyport
