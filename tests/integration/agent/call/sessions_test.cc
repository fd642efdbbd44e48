// How sessions of the agent end, and what is left of them.
#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using types::v1::END_REASON_COMPLETED;
using types::v1::END_REASON_DISCONNECTED;
using types::v1::END_REASON_EXPIRED;
using types::v1::END_REASON_REVOKED;

TEST_CASE("clients that connect at the same time share one session", "[agent][session]") {
  Door door;
  const std::string token = door.control.Token("bot");
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<HttpClient>(door.agent->port()));
    clients.back()->Send(door.Bytes({.token = token, .body = Door::Initialize()}));
  }
  std::set<std::string> ids;
  for (auto& client : clients) ids.insert(client->Read().session_id);
  CHECK(ids.size() == 5);
  CHECK(door.control.opens() == 1);
}

TEST_CASE("each token that asks for a session is told its own reason", "[agent][session]") {
  Door door;
  const std::string good = door.control.Token("bot");
  const std::string bare = door.control.Token("bot", absl::Minutes(10), {{"scope", "mcp.read"}});
  std::promise<void> answers;
  door.control.set_opener(
      [&, until = answers.get_future().share()](const access::v1::OpenSessionRequest& request) {
        until.wait();
        if (request.token() == good)
          return door.control.Active(door.control.ActiveSession("wiki", "bot"));
        access::v1::OpenSessionResponse refused = FakeControlPlane::Denial(
            types::v1::DENIAL_REASON_SCOPE_MISSING, "the token lacks scopes; needed: mcp.use");
        refused.add_required_scopes("mcp.use");
        return refused;
      });
  HttpClient first(door.agent->port()), second(door.agent->port());
  first.Send(door.Bytes({.token = bare, .body = Door::Initialize()}));
  while (door.control.opens() == 0) std::this_thread::yield();
  second.Send(door.Bytes({.token = good, .body = Door::Initialize()}));
  for (int i = 0; i < 200 && door.control.opens() < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  answers.set_value();
  CHECK(first.Read().status == 403);
  CHECK_FALSE(second.Read().session_id.empty());
}

// The end as the control plane tells it while the answer to the opening is under way.
TEST_CASE("a session whose end is told before the answer to its opening is not served",
          "[agent][session]") {
  Door door;
  std::atomic<int> opens = 0;
  std::atomic<bool> is_told = false;
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  door.control.set_opener([&](const auto&) {
    if (++opens > 1) {
      return FakeControlPlane::Denial(types::v1::DENIAL_REASON_LOCKED, "the lock end-it shuts it");
    }
    types::v1::Session ended = session;
    ended.set_state(types::v1::SESSION_STATE_ENDED);
    ended.set_end_reason(END_REASON_REVOKED);
    ended.set_detail("an operator ended it");
    door.control.PushSession(ended, false);
    is_told = door.AwaitSnapshot(door.control.Edit([](agent::v1::Snapshot&) {}));
    return door.control.Active(session);
  });
  const Json answer =
      Door::Message(door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()}));
  CHECK(is_told);
  CHECK(answer["error"]["data"]["reason"] == "locked");
  CHECK(opens == 2);
  CHECK(door.Seen() == 0);
}

// The stream lists what is live after the session's end and before the answer to its opening.
TEST_CASE("an answer that an opening gets while the stream begins anew is asked for again",
          "[agent][session]") {
  Door door;
  REQUIRE(door.agent->AwaitLog("control_plane_connected", 0));
  std::atomic<int> opens = 0;
  std::atomic<bool> is_anew = false;
  door.control.set_opener([&](const auto&) {
    if (++opens > 1) {
      return FakeControlPlane::Denial(types::v1::DENIAL_REASON_LOCKED, "the lock end-it shuts it");
    }
    const std::size_t before = door.agent->log().size();
    door.control.BreakStream();
    is_anew = door.agent->AwaitLog("control_plane_connected", before);
    return door.control.Active(door.control.ActiveSession("wiki", "bot"));
  });
  const Json answer =
      Door::Message(door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()}));
  CHECK(is_anew);
  CHECK(answer["error"]["data"]["reason"] == "locked");
  CHECK(opens == 2);
  CHECK(door.Seen() == 0);
}

TEST_CASE("calls that were not sent do not use up max_calls", "[agent][session]") {
  Door door;
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const Door::Bot bot = door.Connect();
  door.StopServer();
  for (int id = 1; id <= 3; ++id) {
    const auto lost = bot.Post(Door::Call("echo", "{}", id));
    CHECK(ReasonOf(lost) == "upstream_lost");
    CHECK_THAT(lost.body, Catch::Contains("was not sent"));
  }
  CHECK(bot.Delete().status == 204);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->calls == 0);
  CHECK(end->detail == "the client ended its last MCP session");
  const auto outcome = door.control.AwaitContent(
      types::v1::RECORD_TYPE_OUTCOME, [](const auto& content) { return content.is_taken_back(); });
  CHECK(outcome);
}

TEST_CASE("128 requests are in flight at a time in all MCP sessions of a session together",
          "[agent][session]") {
  Door door;
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.closes = true, .waits = true};
  });
  const Door::Bot bots[] = {door.Connect(), door.Connect()};
  std::vector<std::unique_ptr<HttpClient>> calls;
  for (int i = 0; i < 128; ++i) {
    calls.push_back(std::make_unique<HttpClient>(door.agent->port()));
    calls.back()->Send(door.Bytes({.token = bots[i % 2].token,
                                   .session_id = bots[i % 2].session_id,
                                   .body = Door::Call("echo", "{}", i + 1)}));
  }
  REQUIRE(door.AwaitRequests("tools/call", 128));
  const auto refused = bots[0].Post(Door::Call("echo", "{}", 1000));
  CHECK(ReasonOf(refused) == "limit_exceeded");
  CHECK_THAT(refused.body, Catch::Contains("the session has 128 requests in flight"));
  CHECK(bots[1].Delete().status == 204);
  // Those of the MCP session that was deleted are over.
  const std::string list = R"({"jsonrpc":"2.0","id":1001,"method":"tools/list"})";
  while (bots[0].Post(list).body.find("limit_exceeded") != std::string::npos) continue;
  CHECK(Door::Message(bots[0].Post(list)).contains("result"));
}

TEST_CASE("the last DELETE completes the session, with its end record", "[agent][session]") {
  Door door;
  const Door::Bot one = door.Connect(), two = door.Connect();
  one.Delete();
  CHECK(Door::Message(two.Post(Door::Call("echo")))["result"].contains("content"));
  two.Delete();
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == END_REASON_COMPLETED);
  CHECK(end->calls == 1);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_END, types::v1::DENIAL_REASON_UNSPECIFIED));
}

TEST_CASE("a session whose recording is refused for good is cut, and others are served",
          "[agent][session]") {
  Door door;
  const Door::Bot other = door.Connect("other");
  const types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  auto is_held = std::make_shared<std::atomic<bool>>(true);
  door.set_awkward([is_held, gone = go.get_future().share()](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") == "tools/call" && is_held->exchange(false)) gone.wait();
    return std::nullopt;
  });
  HttpClient call(door.agent->port()), next(door.agent->port());
  call.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo")}));
  while (door.Seen("tools/call") == 0) std::this_thread::yield();
  door.control.RefuseRecording(session.id());
  next.Send(door.Bytes(
      {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 2)}));
  const Json error = Door::Message(call.Read())["error"];
  CHECK(error["code"] == 40302);
  CHECK(error["message"] ==
        "Session ended: the control plane does not take what is recorded of the session");
  go.set_value();
  CHECK(door.agent->AwaitLog("\"recording_set_aside\"", 0));
  CHECK(bot.Post(Door::Call("echo")).status == 404);
  CHECK(Door::Message(other.Post(Door::Call("echo"))).contains("result"));
  // Whoever comes again gets another session, as any other.
  const types::v1::Session after = door.control.ActiveSession("wiki", "bot");
  door.control.set_opener([&](const auto&) { return door.control.Active(after); });
  CHECK(Door::Message(door.Connect().Post(Door::Call("echo"))).contains("result"));
}

TEST_CASE(
    "a session that is ended from outside answers what is open with 40302 and closes its stream",
    "[agent][session]") {
  Door door;
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call") gone.wait();
        return std::nullopt;
      });
  HttpClient stream(door.agent->port()), call(door.agent->port());
  stream.Send(door.Bytes({.method = "GET", .token = bot.token, .session_id = bot.session_id}));
  REQUIRE(stream.ReadUntil("").is_stream());
  call.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo")}));
  while (door.Seen("tools/call") == 0) std::this_thread::yield();
  session.set_state(types::v1::SESSION_STATE_ENDED);
  session.set_end_reason(END_REASON_REVOKED);
  session.set_detail("an operator ended it");
  door.control.PushSession(session, false);
  Json error = Door::Message(call.Read())["error"];
  CHECK(error["code"] == 40302);
  CHECK(error["message"] == "Session ended: an operator ended it");
  CHECK(door.control.AwaitConfirmed(session.id()));
  CHECK(stream.ReadRest().status == 200);
  CHECK(bot.Post(Door::Call("echo")).status == 404);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == END_REASON_REVOKED);
  go.set_value();
}

TEST_CASE("a session expires on time, is idle in vain, and notices that its client has gone",
          "[agent][session]") {
  Door door;
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  types::v1::EndReason reason = types::v1::END_REASON_UNSPECIFIED;
  bool has_stream = false;
  SECTION("expired") {
    session.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(absl::Now()) + 2);
    reason = END_REASON_EXPIRED;
  }
  SECTION("idle") {
    session.mutable_terms()->mutable_idle_timeout()->set_seconds(1);
    reason = END_REASON_EXPIRED;
  }
  SECTION("disconnected") {
    session.mutable_terms()->mutable_disconnect_grace()->set_seconds(1);
    reason = END_REASON_DISCONNECTED;
    has_stream = true;
  }
  door.control.set_opener([&](const auto&) { return door.control.Active(session); });
  const Door::Bot bot = door.Connect();
  if (has_stream) {
    HttpClient stream(door.agent->port());
    stream.Send(door.Bytes({.method = "GET", .token = bot.token, .session_id = bot.session_id}));
    REQUIRE(stream.ReadUntil("").is_stream());
  }
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == reason);
  CHECK(bot.Post(Door::Call("echo")).status == 404);
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("an agent that is stopped ends its sessions with their end records", "[agent][session]") {
  Door door;
  const Door::Bot bot = door.Connect();
  bot.Post(Door::Call("echo"));
  CHECK(door.agent->Stop() == 0);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == END_REASON_DISCONNECTED);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_END, types::v1::DENIAL_REASON_UNSPECIFIED));
}

TEST_CASE("an agent that was killed keeps its sessions once the control plane confirms them",
          "[agent][session]") {
  Door door;
  const Door::Bot bot = door.Connect();
  bot.Post(Door::Call("echo"));
  door.agent->Stop(SIGKILL);
  const std::size_t logged = door.agent->log().size();
  door.agent->Start();
  REQUIRE(door.agent->AwaitLog("control_plane_connected", logged));
  const auto late =
      door.Send({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo")});
  CHECK(late.status == 404);
  const int opens = door.control.opens();
  const Door::Bot again = door.Connect();
  CHECK_FALSE(again.session_id.empty());
  CHECK(door.control.opens() == opens);
}

TEST_CASE("the end of a session that a killed agent left behind says how many calls were made",
          "[agent][session]") {
  Door door;
  const types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  door.control.set_opener([&door, session](const auto&) { return door.control.Active(session); });
  const Door::Bot bot = door.Connect();
  bot.Post(Door::Call("echo"));
  bot.Post(Door::Call("echo", "{}", 2));
  REQUIRE(door.Seen("tools/call") == 2);
  door.agent->Stop(SIGKILL);
  // Nobody confirms it to the next run.
  door.agent->Start();
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->session_id == session.id());
  CHECK(end->end_reason == END_REASON_DISCONNECTED);
  CHECK(end->calls == 2);
}

TEST_CASE("an agent that cannot open its lock says which file that is, and why",
          "[agent][session]") {
  Door door;
  door.agent->Stop();
  const std::string lock = door.agent->data("lock");
  REQUIRE(unlink(lock.c_str()) == 0);
  REQUIRE(mkdir(lock.c_str(), 0700) == 0);
  door.agent->Start();
  CHECK(door.agent->port() == 0);
  CHECK(door.agent->log().find("cannot open " + lock + ": Is a directory") != std::string::npos);
}

TEST_CASE("what the server sends a secret in is masked, and its token does not reach it",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const auto answer = bot.Post(Door::Call("echo", R"({"key":"AKIAZQ3DRSTUVWXY2LMN"})"));
  CHECK(answer.body.find("AKIAZQ3DRSTUVWXY2LMN") == std::string::npos);
  CHECK(answer.body.find("[REDACTED:aws]") != std::string::npos);
  CHECK(door.SawText("AKIAZQ3DRSTUVWXY2LMN"));
  CHECK_FALSE(door.SawText(bot.token));
  CHECK(door.agent->log().find(bot.token) == std::string::npos);
}

TEST_CASE("a session whose end overtakes the answer that opens it is not begun again",
          "[agent][sessions]") {
  std::atomic<int> opened = 0;
  std::promise<bool> late;
  Door door;
  types::v1::Session session = door.control.ActiveSession("wiki", "bot");
  session.mutable_terms()->set_max_calls(1);
  door.control.set_opener([&opened, &late, &door, session](const auto&) {
    // The control plane read it as active before the END record had come, and answers late.
    if (++opened == 2) {
      types::v1::Session ended = session;
      ended.set_state(types::v1::SESSION_STATE_ENDED);
      door.control.PushSession(ended, false);
      // What comes over the stream behind the end is there: so is the end.
      late.set_value(door.AwaitSnapshot(door.control.Edit([](agent::v1::Snapshot&) {})));
    }
    return door.control.Active(session);
  });
  CHECK(Door::Message(door.Connect().Post(Door::Call("echo")))["result"].contains("content"));
  REQUIRE(door.control.AwaitEnd());
  const std::string token = door.control.Token("bot");
  const auto again = door.Send({.token = token, .body = Door::Initialize()});
  CHECK(again.session_id.empty());
  CHECK(late.get_future().get());
  CHECK(door.Seen("initialize") == 1);
}

}  // namespace
}  // namespace sallyport
