// Each denial reason that is raised before the forward: what the client reads, and that the server
// saw no byte. Each one after it: that the client saw no byte of what was refused.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using enum types::v1::DenialReason;
using enum types::v1::EndReason;
using enum types::v1::RecordType;
using enum types::v1::SessionState;
using enum types::v1::ApprovalState;
using types::v1::DenialReason;

// A refusal of initialize before there is a session.
Json RefusedOpen(Door& door, DenialReason reason, const std::string& message) {
  door.control.set_opener([=](const auto&) { return FakeControlPlane::Denial(reason, message); });
  const auto answer = door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(answer.session_id.empty());
  CHECK(door.Seen() == 0);
  Json said = Json::parse(answer.body, nullptr, false);
  said["status"] = answer.status;
  return said;
}

TEST_CASE("a request without a usable token is told where to get one, and the server sees nothing",
          "[agent][call]") {
  Door door;
  const std::string metadata = "resource_metadata=\"http://" + door.agent->authority() +
                               "/.well-known/oauth-protected-resource/wiki/mcp\"";
  const auto refused = [&](const std::string& token) {
    const auto answer = door.Send({.token = token, .body = Door::Initialize()});
    CHECK(answer.status == 401);
    CHECK(answer.challenge.starts_with("Bearer "));
    CHECK(answer.challenge.find(metadata) != std::string::npos);
    Json said = Json::parse(answer.body);
    said["challenge"] = answer.challenge;
    return said;
  };
  CHECK(refused("")["reason"] == "token_missing");
  CHECK(refused("not-a-token")["reason"] == "token_invalid");
  Json expired = refused(door.control.Token("bot", -absl::Hours(1)));
  CHECK(expired["reason"] == "token_expired");
  CHECK(std::string(expired["challenge"]).find("error=\"invalid_token\"") != std::string::npos);
  CHECK(refused(door.control.Token("bot", absl::Minutes(5), {{"aud", "api://other"}}))["reason"] ==
        "token_invalid");
  CHECK(refused(TestKey("ES256", "k1").Token({{"iss", "x"}}))["reason"] == "token_invalid");
  CHECK(door.Seen() == 0);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_TOKEN_EXPIRED));
}

TEST_CASE("every HTTP method needs the token, and a token in the query is none", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  for (const char* method : {"POST", "GET", "DELETE"}) {
    CHECK(door.Send({.method = method, .session_id = bot.session_id, .body = Door::Call("echo")})
              .status == 401);
  }
  CHECK(door.Send({.target = "/wiki/mcp?access_token=" + bot.token, .body = Door::Initialize()})
            .status == 401);
  CHECK(
      door.Send({.target = "/wiki/mcp?x", .token = bot.token, .body = Door::Initialize()}).status ==
      404);
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("an issuer whose keys nobody has reached yet is issuer_unavailable", "[agent][call]") {
  Door door;
  door.control.Edit(
      [](agent::v1::Snapshot& snapshot) { snapshot.mutable_issuers(0)->clear_jwks(); });
  HttpClient::Answer answer;
  // The snapshot is pushed; until it is in force the token still opens.
  for (int i = 0; i < 200 && answer.status != 503; ++i) {
    answer = door.Send({.token = door.control.Token("other"), .body = "{}"});
  }
  CHECK(answer.status == 503);
  CHECK(Json::parse(answer.body)["reason"] == "issuer_unavailable");
  CHECK(door.Seen() == 0);
}

TEST_CASE("an agent without a snapshot lets nobody through", "[agent][call]") {
  Door door("recording: {durability: process, spool_max_bytes: 128MiB}", kPolicy,
            /*withholds_snapshot=*/true);
  const auto answer = door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(answer.status == 503);
  CHECK(Json::parse(answer.body)["reason"] == "no_snapshot");
  CHECK(door.Seen() == 0);
}

TEST_CASE("a foreign Host and a foreign Origin are refused before anything else", "[agent][call]") {
  Door door;
  const std::string token = door.control.Token("bot");
  const auto host = door.Send({.token = token, .body = Door::Initialize(), .host = "evil.example"});
  CHECK(host.status == 421);
  CHECK(Json::parse(host.body)["reason"] == "host_refused");
  const auto origin = door.Send({.token = token,
                                 .body = Door::Initialize(),
                                 .more_fields = "Origin: https://evil.example\r\n"});
  CHECK(origin.status == 403);
  CHECK(Json::parse(origin.body)["reason"] == "origin_refused");
  CHECK(door.control.opens() == 0);
  CHECK(door.Seen() == 0);
}

TEST_CASE("an absolute URI is answered where it is ours, and Host names the same",
          "[agent][call]") {
  Door door("public_url: https://MCP.example.com");
  const std::string here = door.agent->authority();
  const std::string port = here.substr(here.rfind(':'));
  const std::string token = door.control.Token("bot");
  const auto status = [&](const std::string& uri, const std::string& host) {
    return door.Send({.target = uri, .token = token, .body = Door::Initialize(), .host = host})
        .status;
  };
  CHECK(status("http://" + here + "/wiki/mcp", here) == 200);
  CHECK(status("HTTP://LOCALHOST" + port + "/wiki/mcp", "localhost" + port) == 200);
  // Somebody ends TLS before this plain listener.
  CHECK(status("https://mcp.example.com/wiki/mcp", "mcp.example.com") == 200);
  CHECK(status("https://mcp.example.com:443/wiki/mcp", "mcp.example.com") == 200);
  const int seen = door.Seen();
  // Ours, but not under this scheme.
  CHECK(status("https://" + here + "/wiki/mcp", here) == 421);
  CHECK(status("http://mcp.example.com/wiki/mcp", "mcp.example.com") == 421);
  CHECK(status("http://evil.example/wiki/mcp", "evil.example") == 421);
  CHECK(status("http://evil.example/wiki/mcp", here) == 400);
  CHECK(status("http://" + here + "/wiki/mcp", "evil.example") == 400);
  CHECK(status("http://" + here + "@evil.example/wiki/mcp", here) == 400);
  // The path is judged as any other.
  for (const char* path : {"//wiki/mcp", "", "/", "/wiki/mcp/", "/%77iki/mcp", "/wiki/mcp?x"}) {
    CHECK(status("http://" + here + path, here) == 404);
  }
  CHECK(status("http://" + here + "/wiki/mcp#x", here) == 400);
  CHECK(door.Seen() == seen);
}

TEST_CASE("the endpoint's own Origin is let in, under the names that Host may have",
          "[agent][call]") {
  Door door("public_url: http://MCP.example.com:80");
  const std::string port = door.agent->authority().substr(door.agent->authority().rfind(':'));
  const auto status = [&](const std::string& origin) {
    return door
        .Send({.token = door.control.Token("bot"),
               .body = Door::Initialize(),
               .more_fields = "Origin: " + origin + "\r\n"})
        .status;
  };
  CHECK(status("http://mcp.example.com") == 200);
  CHECK(status("http://127.0.0.1" + port) == 200);
  CHECK(status("http://localhost" + port) == 200);
  for (const std::string& foreign :
       {"https://mcp.example.com" + std::string(), "http://mcp.example.com:8443" + std::string(),
        "https://localhost" + port, std::string("http://localhost"), "http://[::1]" + port,
        "http://localhost" + port + ".evil.example", std::string("null"), std::string()}) {
    INFO(foreign);
    CHECK(status(foreign) == 403);
  }
}

TEST_CASE("a server without a policy for the caller looks like one that does not exist",
          "[agent][call]") {
  Door door;
  Json unnamed = RefusedOpen(door, DENIAL_REASON_SERVER_UNKNOWN, "no policy names the principal");
  CHECK(unnamed["status"] == 404);
  CHECK(unnamed["reason"] == "server_unknown");
  const auto missing = door.Send(
      {.target = "/nope/mcp", .token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(missing.status == 404);
  std::string same = unnamed["message"];
  CHECK(Json::parse(missing.body)["message"] == same.replace(same.find("wiki"), 4, "nope"));
}

TEST_CASE("before a session the refusal is a JSON-RPC error with its own code", "[agent][call]") {
  Door door;
  struct Case {
    DenialReason reason;
    int code;
    const char* word;
  };
  for (const Case& c : {Case{DENIAL_REASON_SESSION_REQUIRED, 40304, "session_required"},
                        Case{DENIAL_REASON_SESSION_DENIED, 40305, "session_denied"},
                        Case{DENIAL_REASON_APPROVAL_DENIED, 40305, "approval_denied"},
                        Case{DENIAL_REASON_APPROVAL_EXPIRED, 40305, "approval_expired"},
                        Case{DENIAL_REASON_LOCKED, 40305, "locked"},
                        Case{DENIAL_REASON_LIMIT_EXCEEDED, 40305, "limit_exceeded"},
                        Case{DENIAL_REASON_POLICY_DENIED, 40301, "policy_denied"}}) {
    Json said = RefusedOpen(door, c.reason, "run sallyport request wiki");
    CHECK(said["status"] == 200);
    CHECK(said["error"]["code"] == c.code);
    CHECK(said["error"]["data"]["reason"] == c.word);
    CHECK(said["error"]["message"] == "run sallyport request wiki");
  }
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_LOCKED));
}

TEST_CASE("a scope that is missing is asked for by a challenge", "[agent][call]") {
  Door door;
  door.control.set_opener([](const auto&) {
    auto denial =
        FakeControlPlane::Denial(DENIAL_REASON_SCOPE_MISSING, "the token lacks mcp.admin");
    denial.add_required_scopes("mcp.use");
    denial.add_required_scopes("mcp.admin");
    return denial;
  });
  const auto answer = door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(answer.status == 403);
  CHECK(answer.challenge.find("error=\"insufficient_scope\", scope=\"mcp.use mcp.admin\"") !=
        std::string::npos);
  CHECK(door.Seen() == 0);
}

// A session that waits for its approval.
struct Pending {
  explicit Pending(Door& door) : session(door.control.ActiveSession("wiki", "bot")) {
    session.set_approval_id(NewApprovalId());
    session.set_state(SESSION_STATE_PENDING);
    door.control.set_opener([session = session](const auto&) {
      access::v1::OpenSessionResponse response;
      *response.mutable_session() = session;
      response.add_approvers("okta:approvers");
      response.mutable_approval_expires_at()->set_seconds(1'800'000'000);
      return response;
    });
  }
  types::v1::Session session;
};

TEST_CASE("a pending session answers initialize with its approval, its approvers and its deadline",
          "[agent][call]") {
  Door door;
  const Pending pending(door);
  const auto answer = door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(answer.status == 200);
  const Json error = Json::parse(answer.body)["error"];
  CHECK(error["code"] == 40303);
  CHECK(std::string(error["message"]) ==
        "the session for wiki waits for approval " + pending.session.approval_id() +
            " by okta:approvers until 2027-01-15T08:00:00Z; connect again once it is approved");
  CHECK(error["data"]["reason"] == "session_pending");
  CHECK(error["data"]["approvalId"] == pending.session.approval_id());
  CHECK(error["data"]["approvers"] == Json::array({"okta:approvers"}));
  CHECK(error["data"]["expiresAt"] == "2027-01-15T08:00:00Z");
  CHECK(door.Seen() == 0);
}

TEST_CASE("one hold for all that a client tries while its session is pending, and another later",
          "[agent][call]") {
  Door door;
  Pending pending(door);
  const std::string token = door.control.Token("bot");
  const auto begun = std::chrono::steady_clock::now();
  const auto since = [&] { return std::chrono::steady_clock::now() - begun; };
  (void)door.Send({.token = token, .body = Door::Initialize()});
  CHECK(since() >= std::chrono::seconds(5));
  const auto again = door.Send({.token = token, .body = Door::Initialize()});
  CHECK(Json::parse(again.body)["error"]["data"]["reason"] == "session_pending");
  CHECK(since() < std::chrono::seconds(7));

  std::this_thread::sleep_until(begun + std::chrono::seconds(11));
  HttpClient waiting(door.agent->port());
  waiting.Send(door.Bytes({.token = token, .body = Door::Initialize()}));
  while (door.control.opens() < 3) std::this_thread::yield();
  std::this_thread::sleep_until(begun + std::chrono::seconds(13));
  pending.session.set_state(SESSION_STATE_ACTIVE);
  door.control.PushSession(pending.session, /*with_grant=*/true);
  const auto opened = waiting.Read();
  CHECK_FALSE(opened.session_id.empty());
  CHECK(Json::parse(opened.body)["result"]["instructions"] == "be nice");
}

TEST_CASE("a client that comes back once its session is approved is let in", "[agent][call]") {
  Door door;
  Pending pending(door);
  const std::string token = door.control.Token("bot");
  (void)door.Send({.token = token, .body = Door::Initialize()});
  pending.session.set_state(SESSION_STATE_ACTIVE);
  door.control.PushSession(pending.session, /*with_grant=*/true);
  door.control.set_opener([&](const auto&) { return door.control.Active(pending.session); });
  CHECK_FALSE(door.Send({.token = token, .body = Door::Initialize()}).session_id.empty());
}

TEST_CASE("a session that is bound to another address is client_mismatch", "[agent][call]") {
  Door door;
  door.control.set_opener([&](const auto&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.set_client_address("192.0.2.7");
    return door.control.Active(session);
  });
  const auto answer = door.Send({.token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(Json::parse(answer.body)["error"]["data"]["reason"] == "client_mismatch");
  CHECK(door.Seen() == 0);
}

TEST_CASE("a control plane that is away opens no session and says so; live ones go on",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  door.control.Stop();
  const auto refused =
      door.Send({.token = door.control.Token("second"), .body = Door::Initialize()});
  CHECK(Json::parse(refused.body)["error"]["data"]["reason"] == "control_plane_unavailable");
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"]["content"][0]["text"] == "did {}");
}

TEST_CASE("what policy refuses reads as it should, and the server sees nothing of it",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  SECTION("an explicit deny is a tool result with the reason") {
    Json result = Door::Message(bot.Post(Door::Call("drop-all")))["result"];
    CHECK(result["isError"] == true);
    CHECK(result["_meta"]["reason"] == "policy_denied");
    CHECK(result["_meta"]["policy"] == "bots");
    CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_POLICY_DENIED));
  }
  SECTION("a condition that fails says so, without the value") {
    const auto answer = bot.Post(Door::Call("deploy", R"({"env":"production"})"));
    CHECK(Door::Message(answer)["result"]["_meta"]["reason"] == "condition_failed");
    CHECK(answer.body.find("production") == std::string::npos);
    CHECK(Door::Message(bot.Post(Door::Call("deploy", R"({"env":"dev"})")))["result"].contains(
        "content"));
  }
  SECTION("a hidden tool does not exist") {
    Json error = Door::Message(bot.Post(Door::Call("secret")))["error"];
    CHECK(error["code"] == -32602);
    CHECK(error["message"] == "Unknown tool: secret");
    CHECK_FALSE(error.contains("data"));
    CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_POLICY_DENIED));
  }
  SECTION("an unknown method, and one that is not served, are not found") {
    for (const char* method : {"x/y", "tasks/list", "resources/subscribe"}) {
      const std::string body = R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                               R"(","params":{"uri":"file:///public/a"}})";
      CHECK(Door::Message(bot.Post(body))["error"]["code"] == -32601);
      CHECK(door.Seen(method) == 0);
    }
    CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_METHOD_UNKNOWN));
  }
  SECTION("a resource outside the patterns does not exist") {
    Json error = Door::Message(bot.Post(
        R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}})"))
        ["error"];
    CHECK(error["code"] == -32602);
    CHECK(door.Seen("resources/read") == 0);
  }
  SECTION("a notification that policy does not allow is accepted and dropped") {
    CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/x"})").status == 202);
    CHECK(door.Seen("notifications/x") == 0);
  }
  CHECK_FALSE(door.SawText("drop-all"));
  CHECK_FALSE(door.SawText("production"));
  CHECK_FALSE(door.SawText("secret"));
}

TEST_CASE("a call that needs a person waits, and what the person says decides", "[agent][call]") {
  Door door(
      "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
      "20}");
  const Door::Bot bot = door.Connect();
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(
      {.token = bot.token,
       .session_id = bot.session_id,
       .body =
           R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"delete","arguments":{"id":1},"_meta":{"progressToken":"p"}}})"}));
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  CHECK(approval->tool() == "delete");
  const auto begun = client.ReadUntil("notifications/progress");
  CHECK(begun.is_stream());
  CHECK(begun.body.find(approval->id()) != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);

  SECTION("approved, it goes on at once and is forwarded once") {
    approval->set_state(APPROVAL_STATE_APPROVED);
    door.control.PushApproval(*approval);
    Json message = Door::Message(client.ReadRest());
    CHECK(message["id"] == 7);
    CHECK(message["result"]["content"][0]["text"] == "did {\"id\":1}");
    CHECK(door.Seen("tools/call") == 1);
    return;
  }
  SECTION("told again that it waits, it says nothing twice") {
    for (const char* alarm : {"no notifier is configured", "the receiver answered 404"}) {
      approval->set_notice_alarm(alarm);
      door.control.PushApproval(*approval);
    }
    approval->set_state(APPROVAL_STATE_APPROVED);
    door.control.PushApproval(*approval);
    const std::string all = begun.body + client.ReadRest().body;
    const std::size_t first = all.find("notifications/progress");
    CHECK(all.find("notifications/progress", first + 1) == std::string::npos);
    return;
  }
  SECTION("denied, it says why") {
    approval->set_state(APPROVAL_STATE_DENIED);
    approval->add_decisions()->set_reason("not on a Friday");
    door.control.PushApproval(*approval);
    Json result = Door::Message(client.ReadRest())["result"];
    CHECK(result["isError"] == true);
    CHECK(result["_meta"]["reason"] == "approval_denied");
    CHECK(std::string(result["content"][0]["text"]).find("not on a Friday") != std::string::npos);
    CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_APPROVAL_DENIED));
  }
  SECTION("expired, withdrawn or used by another call, it is refused for that") {
    const auto [state, word] = GENERATE(std::pair(APPROVAL_STATE_EXPIRED, "approval_expired"),
                                        std::pair(APPROVAL_STATE_WITHDRAWN, "approval_revoked"),
                                        std::pair(APPROVAL_STATE_CONSUMED, "approval_consumed"));
    approval->set_state(state);
    door.control.PushApproval(*approval);
    CHECK(Door::Message(client.ReadRest())["result"]["_meta"]["reason"] == word);
  }
  SECTION("approved but refused when it is used, it is not forwarded") {
    const auto [reason, word] =
        GENERATE(std::pair(DENIAL_REASON_APPROVAL_CONSUMED, "approval_consumed"),
                 std::pair(DENIAL_REASON_ARGUMENTS_CHANGED, "arguments_changed"),
                 std::pair(DENIAL_REASON_APPROVAL_EXPIRED, "approval_expired"));
    door.control.set_reserver(
        [reason = reason](const auto&) { return FakeControlPlane::Reserved(reason); });
    approval->set_state(APPROVAL_STATE_APPROVED);
    door.control.PushApproval(*approval);
    CHECK(Door::Message(client.ReadRest())["result"]["_meta"]["reason"] == word);
  }
  SECTION("policy that changed while it waited is asked again") {
    std::string stricter = kPolicy;
    const std::string from =
        "- require_approval: {tools: [delete], approvers: [\"okta:approvers\"]}";
    stricter.replace(stricter.find(from), from.size(), "- deny: {tools: [delete]}");
    door.control.Apply(stricter, {"wiki"});
    approval->set_state(APPROVAL_STATE_APPROVED);
    door.control.PushApproval(*approval);
    CHECK(Door::Message(client.ReadRest())["result"]["_meta"]["reason"] == "policy_denied");
  }
  SECTION("a session that ends meanwhile ends the wait") {
    types::v1::Session ended = door.control.ActiveSession("wiki", "bot");
    ended.set_id(approval->session_id());
    ended.set_state(SESSION_STATE_ENDED);
    ended.set_end_reason(END_REASON_REVOKED);
    ended.set_detail("an operator ended it");
    door.control.PushSession(ended, false);
    Json error = Door::Message(client.ReadRest())["error"];
    CHECK(error["code"] == 40302);
    CHECK(error["data"]["reason"] == "session_ended");
  }
  SECTION("cancelled, it gets no response and the approval is withdrawn") {
    CHECK(
        bot.Post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})")
            .status == 202);
    CHECK(client.ReadRest().body.find("\"id\":7") == std::string::npos);
    CHECK(door.control.AwaitWithdrawal(approval->id()));
    CHECK(door.Seen("notifications/cancelled") == 0);
  }
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a call that waits too long gets the retry answer, and the identical call goes through",
          "[agent][call]") {
  Door door(
      "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
      "1}");
  const Door::Bot bot = door.Connect();
  std::optional<types::v1::Approval> given;
  std::string digest;
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    agent::v1::RequestCallApprovalResponse response;
    if (given && request.arguments_digest() == digest) {
      *response.mutable_approval() = *given;
    } else {
      *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    }
    return response;
  });
  Json first = Door::Message(bot.Post(Door::Call("delete", R"({"a":1,"b":"x"})")))["result"];
  CHECK(first["isError"] == true);
  CHECK(first["_meta"]["reason"] == "approval_pending");
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  CHECK(first["_meta"]["approvalId"] == approval->id());
  CHECK(first["_meta"].contains("expiresAt"));
  CHECK(std::string(first["content"][0]["text"]).find(approval->id()) != std::string::npos);
  approval->set_state(APPROVAL_STATE_APPROVED);
  digest = approval->arguments_digest();
  given = approval;
  // Another spelling of the same arguments, and another call.
  CHECK(Door::Message(bot.Post(
            Door::Call("delete", R"({ "b" : "\u0078", "a":1})")))["result"]["content"][0]["text"] ==
        "did {\"a\":1,\"b\":\"x\"}");
  CHECK(Door::Message(bot.Post(Door::Call(
            "delete", R"({"a":1.0,"b":"x"})")))["result"]["_meta"]["reason"] == "approval_pending");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("the ninth call held for approval in a session is refused", "[agent][call]") {
  Door door(
      "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
      "20}");
  const Door::Bot bot = door.Connect();
  std::vector<std::unique_ptr<HttpClient>> held;
  for (int i = 0; i < 8; ++i) {
    held.push_back(std::make_unique<HttpClient>(door.agent->port()));
    held.back()->Send(door.Bytes({.token = bot.token,
                                  .session_id = bot.session_id,
                                  .body = Door::Call("delete", "{}", 100 + i)}));
    REQUIRE(held.back()->ReadUntil("").is_stream());
  }
  CHECK(Door::Message(bot.Post(Door::Call("delete", "{}", 9)))["result"]["_meta"]["reason"] ==
        "limit_exceeded");
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("max_calls counts operations, and the last one ends the session", "[agent][call]") {
  Door door;
  door.control.set_opener([&](const auto&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.mutable_terms()->set_max_calls(1);
    session.mutable_terms()->clear_approval();
    return door.control.Active(session);
  });
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})"))
            .contains("result"));
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == END_REASON_COMPLETED);
  CHECK(end->calls == 1);
  const auto late = bot.Post(Door::Call("echo", R"({"n":2})"));
  CHECK(late.status == 404);
  // Another session of the same window would have no calls, either.
  CHECK_THAT(late.body, Catch::Contains("max_calls is used up; no session has calls again before"));
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a session whose calls are used up is begun anew where another approval gives some",
          "[agent][call]") {
  Door door;
  // By an approval, as its terms say.
  door.control.set_opener([&](const auto&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.mutable_terms()->set_max_calls(1);
    return door.control.Active(session);
  });
  const Door::Bot bot = door.Connect();
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
  REQUIRE(door.control.AwaitEnd());
  CHECK_THAT(bot.Post(Door::Call("echo")).body,
             Catch::Contains("max_calls is used up; initialize again"));
}

TEST_CASE("who cannot come back while the control plane is away is told so", "[agent][call]") {
  Door door;
  door.control.set_opener([&](const auto&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.mutable_terms()->mutable_lease()->set_seconds(1);
    return door.control.Active(session);
  });
  const Door::Bot bot = door.Connect();
  door.control.Stop();
  auto late = bot.Post(Door::Call("echo"));
  while (late.status == 200) late = bot.Post(Door::Call("echo"));
  CHECK(Json::parse(late.body)["reason"] == "snapshot_stale");
  CHECK_THAT(late.body, Catch::Contains("the control plane is away: initialize again once it is"));
}

TEST_CASE("a lock cuts the session at once, and its client is told", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  door.control.Apply(std::string(kPolicy) + "---\nkind: Lock\nname: incident\nspec: {}\n",
                     {"wiki"});
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == END_REASON_REVOKED);
  const auto late = bot.Post(Door::Call("echo"));
  CHECK(late.status == 404);
  CHECK(Json::parse(late.body)["reason"] == "session_ended");
  CHECK_THAT(late.body, Catch::Contains("the lock incident keeps you out: ask an administrator"));
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a message that cannot be read is refused whole", "[agent][call]") {
  Door door(
      "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {message_bytes: 1MiB}");
  const Door::Bot bot = door.Connect();
  for (
      const std::string& body :
      {std::string(R"({"jsonrpc":"2.0",)"), std::string("[]"),
       std::string(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])"),
       std::string(
           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"drop-all"}})"),
       std::string(
           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"drop-all"}})"),
       std::string(R"({"jsonrpc":"2.0","id":null,"method":"ping"})"), std::string("\xff\xfe{}")}) {
    const auto answer = bot.Post(body);
    CHECK(answer.status == 400);
    CHECK(Json::parse(answer.body)["error"]["data"]["reason"] == "message_invalid");
  }
  const auto large = bot.Post(Door::Call("echo", "{\"m\":\"" + std::string(1 << 20, 'x') + "\"}"));
  CHECK(large.status == 413);
  CHECK(large.body.find("message_too_large") != std::string::npos);
  CHECK(large.body.find("at most 1048576 bytes") != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("what HTTP refuses of a client is recorded with its reason", "[agent][call]") {
  struct Case {
    Door::Request request;
    int status;
    types::v1::DenialReason reason;
    std::string detail;
    bool is_named = true;
  };
  const std::string long_call = Door::Call("echo", "{\"m\":\"" + std::string(1 << 20, 'x') + "\"}");
  const auto [request, status, reason, detail, is_named] = GENERATE_COPY(values<Case>({
      {{.body = long_call}, 413, DENIAL_REASON_MESSAGE_TOO_LARGE, "the body is too long"},
      {{.body = "{}", .content_type = "text/plain"},
       415,
       DENIAL_REASON_MESSAGE_INVALID,
       "the body must be application/json"},
      {{.body = "{}", .accept = "text/html"}, 406, DENIAL_REASON_MESSAGE_INVALID, "Accept must"},
      {{.method = "GET", .accept = "application/json"},
       406,
       DENIAL_REASON_MESSAGE_INVALID,
       "a GET is answered"},
      {{.target = "/wiki/mcp?x=1", .body = "{}"}, 404, DENIAL_REASON_SERVER_UNKNOWN, "nothing at"},
      {{.method = "PUT"}, 405, DENIAL_REASON_METHOD_UNKNOWN, "that HTTP method", false},
      {{.body = "{}", .more_fields = "Content-Encoding: gzip\r\n"},
       415,
       DENIAL_REASON_MESSAGE_INVALID,
       "encoded bodies",
       false},
  }));
  Door door(
      "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {message_bytes: 1MiB}");
  const Door::Bot bot = door.Connect();
  INFO(detail);
  Door::Request sent = request;
  sent.token = bot.token;
  sent.session_id = bot.session_id;
  CHECK(door.Send(sent).status == status);
  const auto record =
      door.control.AwaitContent(RECORD_TYPE_DENIAL, [&](const types::v1::RecordContent& content) {
        return content.denial_reason() == reason &&
               content.detail().find(detail) != std::string::npos;
      });
  REQUIRE(record);
  CHECK(record->client_address().starts_with("127.0.0.1"));
  CHECK(record->has_principal() == is_named);
}

TEST_CASE("a request whose params are wrong is refused by its id, in a batch with the batch",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  for (const char* const members :
       {R"("method":"tools/call","params":{"name":"echo","arguments":null})",
        R"("method":"tools/call","params":{"arguments":{}})", R"("method":"resources/read")",
        R"("method":"completion/complete","params":{"ref":[]})",
        R"("method":"ping","params":{"_meta":{"progressToken":null}})"}) {
    const std::string request = std::string(R"({"jsonrpc":"2.0","id":"a\"b",)") + members + "}";
    INFO(request);
    const auto answer = bot.Post(request);
    CHECK(answer.status == 200);
    const Json refused = Json::parse(answer.body);
    CHECK(refused["id"] == "a\"b");
    CHECK(refused["error"]["code"] == -32602);
    CHECK(refused["error"]["data"]["reason"] == "message_invalid");
    const auto batch = bot.Post("[" + request + "]");
    CHECK(batch.status == 400);
    CHECK(Json::parse(batch.body)["id"].is_null());
  }
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a client of another era is told which versions are served", "[agent][call]") {
  Door door;
  const auto answer = door.Send(
      {.token = door.control.Token("bot"),
       .body =
           R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})",
       .more_fields = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n"});
  CHECK(answer.status == 400);
  const Json error = Json::parse(answer.body)["error"];
  CHECK(error["code"] == -32022);
  CHECK(error["data"]["supported"][0] == "2025-11-25");
  CHECK(door.Seen("tools/list") == 0);
  const Door::Bot bot = door.Connect();
  const auto other = door.Send({.token = bot.token,
                                .session_id = bot.session_id,
                                .body = Door::Call("echo"),
                                .more_fields = "MCP-Protocol-Version: 1999-01-01\r\n"});
  CHECK(other.status == 400);
  CHECK(Json::parse(other.body)["reason"] == "version_unsupported");
  CHECK(door.Seen("tools/call") == 0);
}

TEST_CASE("a recorder that is full refuses the call, and goes on when there is room",
          "[agent][call]") {
  Door door(
      "recording: {durability: process, spool_max_bytes: 64MiB}\nlimits: {message_bytes: 8MiB}");
  const Door::Bot bot = door.Connect();
  door.control.Stop();
  // It is a call that finds no room, and never an answer.
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (!message.value("params", Json::object()).value("arguments", Json::object()).contains("m"))
      return std::nullopt;
    const Json result = {{"content", Json::array()}};
    return RawHttpServer::Reply{
        JsonReply(Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
  });
  const std::string large = Door::Call("echo", "{\"m\":\"" + std::string(4 << 20, 'x') + "\"}");
  Json refused;
  int seen = 0;
  for (int i = 0; i < 40 && refused.is_null(); ++i) {
    seen = door.Seen("tools/call");
    Json message = Door::Message(bot.Post(large));
    if (message["result"].value("isError", false)) refused = message["result"];
  }
  REQUIRE_FALSE(refused.is_null());
  CHECK(refused["_meta"]["reason"] == "recorder_unavailable");
  CHECK(door.Seen("tools/call") == seen);
  door.control.Start();
  Json again;
  for (int i = 0; i < 2000 && !again["result"].contains("content"); ++i)
    again = Door::Message(bot.Post(Door::Call("echo")));
  CHECK(again["result"]["content"][0]["text"] == "did {}");
}

TEST_CASE(
    "a server that answers initialize too late is server_starting, and the next attempt attaches",
    "[agent][call]") {
  Door door;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  door.set_awkward([gone](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") == "initialize") gone.wait();
    return std::nullopt;
  });
  const std::string token = door.control.Token("bot");
  const auto late = door.Send({.token = token, .body = Door::Initialize()});
  CHECK(Json::parse(late.body)["error"]["code"] == 40303);
  CHECK(Json::parse(late.body)["error"]["data"]["reason"] == "server_starting");
  go.set_value();
  const auto next = door.Send({.token = token, .body = Door::Initialize()});
  CHECK_FALSE(next.session_id.empty());
  CHECK(door.Seen("initialize") == 1);
}

TEST_CASE("a server that is lost at every start is not asked for over and over", "[agent][call]") {
  Door door;
  const std::string token = door.control.Token("bot");
  bool is_broken = true;
  std::mutex mutex;
  door.set_awkward([&](const Json& message) -> std::optional<RawHttpServer::Reply> {
    std::lock_guard lock(mutex);
    if (!is_broken || message.value("method", "") != "initialize") return std::nullopt;
    return RawHttpServer::Reply{.bytes = "", .closes = true};
  });
  const auto attempt = [&] {
    return Json::parse(door.Send({.token = token, .body = Door::Initialize()}).body)["error"];
  };
  for (int i = 0; i < 2; ++i) {
    const Json error = attempt();
    CHECK(error["data"]["reason"] == "upstream_lost");
    CHECK_FALSE(error["data"].contains("retryAt"));
  }
  REQUIRE(door.Seen("initialize") == 2);
  const Json waiting = attempt();
  CHECK(waiting["data"]["reason"] == "upstream_lost");
  CHECK(waiting["data"]["retryAt"].get<std::string>().starts_with("20"));
  CHECK_THAT(waiting["message"].get<std::string>(),
             Catch::Contains("lost at the last 2 attempts to reach it"));
  CHECK(door.Seen("initialize") == 2);
  {
    std::lock_guard lock(mutex);
    is_broken = false;
  }
  HttpClient::Answer answer;
  for (int i = 0; i < 200 && answer.session_id.empty(); ++i) {
    answer = door.Send({.token = token, .body = Door::Initialize()});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK_FALSE(answer.session_id.empty());
}

TEST_CASE("a server that is lost in a call: forwarded once, outcome unknown, upstream_lost",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            "500\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"LEAK\":",
        .closes = true};
  });
  const auto answer = bot.Post(Door::Call("echo"));
  CHECK(Door::Message(answer)["result"]["isError"] == true);
  CHECK(Door::Message(answer)["result"]["_meta"]["reason"] == "upstream_lost");
  CHECK(answer.body.find("LEAK") == std::string::npos);
  CHECK(door.Seen("tools/call") == 1);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, DENIAL_REASON_UPSTREAM_LOST, "unknown"));
}

TEST_CASE("a server's answer that is not one clean message is upstream_invalid", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::string members;
  for (int i = 0; i < 4097; ++i) members += ",\"k" + std::to_string(i) + "\":\"LEAK\"";
  const auto [bytes, words] = GENERATE_COPY(table<std::string, std::string>(
      {{R"({"jsonrpc":"2.0","id":1,"result":{"a":"LEAK","a":1}})", "a member name is repeated"},
       {R"({"jsonrpc":"2.0","id":1,"result":"LEAK)", "not one JSON object"},
       {"<html>LEAK</html>", "not one JSON object"},
       {R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"LEAK"}})", ""},
       {R"({"jsonrpc":"2.0","id":1,"result":{)" + members.substr(1) + "}}",
        "too many members in an object"}}));
  door.set_awkward([bytes = bytes](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.bytes = JsonReply(bytes)};
  });
  const auto answer = bot.Post(Door::Call("echo"));
  CHECK(Door::Message(answer)["result"]["_meta"]["reason"] == "upstream_invalid");
  CHECK(answer.body.find("was not one clean message: " + words) != std::string::npos);
  CHECK(answer.body.find("LEAK") == std::string::npos);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_OUTCOME, DENIAL_REASON_UPSTREAM_INVALID, "unknown"));
}

TEST_CASE("a server's HTTP status is told to its client and the record", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const auto [status, reason, words] = GENERATE(table<int, std::string, std::string>(
      {{401, "upstream_invalid", "HTTP 401: it refuses the agent's credential"},
       {307, "upstream_invalid", "HTTP 307: redirects are not followed"},
       {429, "upstream_invalid", "HTTP 429"},
       {503, "upstream_lost", "HTTP 503"}}));
  door.set_awkward([status = status](const Json&) -> std::optional<RawHttpServer::Reply> {
    return RawHttpServer::Reply{
        .bytes = HttpReply(status, "text/html", "LEAK",
                           "WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Bearer\r\n")};
  });
  const auto answer = bot.Post(Door::Call("echo"));
  CHECK(Door::Message(answer)["result"]["_meta"]["reason"] == reason);
  CHECK(answer.body.find(reason + ": the server answered " + words + "; whether") !=
        std::string::npos);
  const auto refused = door.Send({.token = bot.token, .body = Door::Initialize()});
  CHECK(Door::Message(refused)["error"]["data"]["reason"] == reason);
  CHECK(refused.body.find(reason + ": the server answered " + words + "\"") != std::string::npos);
  CHECK((answer.body + refused.body).find("LEAK") == std::string::npos);
}

TEST_CASE("what the masker blocks is a JSON-RPC error without a byte of it", "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes = JsonReply(
            R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"LEAK"}],"structuredContent":{"forbidden":"LEAK"}}})")};
  });
  const auto answer = bot.Post(Door::Call("echo"));
  Json error = Door::Message(answer)["error"];
  CHECK(error["code"] == 40305);
  CHECK(error["data"]["reason"] == "masker_blocked");
  CHECK(answer.body.find("LEAK") == std::string::npos);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_MASKER_BLOCKED));
}

}  // namespace
}  // namespace sallyport
