#include "controlplane/access/open_session.h"

#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Fixture,
                 "an allowed principal gets an active session and a grant for exactly this agent",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 200");
  const auto response = ByAgent(BotToken());
  CHECK(response.denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
  REQUIRE(response.session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(response.session().agent() == "a1");
  CHECK(FromProto(response.session().expires_at()) == clock.Now() + absl::Minutes(15));
  CHECK(FromProto(response.grant().remaining()) == absl::Minutes(15));
  const GrantClaims claims = Verified(response.grant(), "a1");
  CHECK(claims.session_id == response.session().id());
  CHECK(claims.server == "wiki");
  CHECK(claims.principal.subject() == "bot");
  CHECK(claims.issuer_id == "okta");
  CHECK(claims.call_budget == 200);
  CHECK(claims.client_address.empty());
  CHECK(claims.expires_at == FromProto(response.session().expires_at()));
  CHECK(LastAction() == "session.open");
}

TEST_CASE_METHOD(Fixture, "a principal that no policy names learns nothing about the server",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m", "[{allow: {tools: [\"*\"]}}]",
              "realm: okta, subjects: [another]");
  const auto named = ByAgent(BotToken());
  CHECK(named.denial_reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK_FALSE(named.has_session());
  CHECK_FALSE(named.has_grant());
  CHECK(sessions::AllLive(*Read())->empty());
}

TEST_CASE_METHOD(Fixture, "a token that lacks scopes is told which", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m", "[{allow: {tools: [\"*\"]}}]",
              "realm: okta, scopes: [mcp.use, mcp.admin]");
  const auto response = ByAgent(BotToken());
  CHECK(response.denial_reason() == types::v1::DENIAL_REASON_SCOPE_MISSING);
  CHECK(response.required_scopes_size() == 2);
}

TEST_CASE_METHOD(Fixture, "a token that does not verify opens nothing", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  CHECK(ByAgent("").denial_reason() == types::v1::DENIAL_REASON_TOKEN_MISSING);
  CHECK(ByAgent("a.b.c").denial_reason() == types::v1::DENIAL_REASON_TOKEN_INVALID);
  CHECK(ByAgent(TestIssuer().Mint(Claims("api://sallyport", "bot", ""))).denial_reason() ==
        types::v1::DENIAL_REASON_TOKEN_INVALID);
  const std::string token = BotToken();
  clock.Advance(absl::Hours(2));
  CHECK(ByAgent(token).denial_reason() == types::v1::DENIAL_REASON_TOKEN_EXPIRED);
  CHECK(sessions::AllLive(*Read())->empty());
}

TEST_CASE_METHOD(Fixture, "a person's sign-in token is not for servers", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  CHECK(ByAgent(okta.Mint(Claims("people", "alice", ""))).denial_reason() ==
        types::v1::DENIAL_REASON_TOKEN_INVALID);
}

TEST_CASE_METHOD(Fixture,
                 "a token for the server's own resource URI counts only where its agent names it",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string token = BotToken("bot", "client-1", "https://mcp.test/wiki/mcp");
  CHECK(ByAgent(token).denial_reason() == types::v1::DENIAL_REASON_TOKEN_INVALID);
  access::v1::OpenSessionRequest request = Request("wiki");
  request.set_token(token);
  request.set_client_address("10.0.0.1");
  request.set_resource("https://mcp.test/wiki/mcp");
  CHECK(open->Run(Agent("a1"), request)->session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Fixture, "an agent opens sessions only for servers it fronts",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  access::v1::OpenSessionRequest request = Request("files");
  request.set_token(BotToken());
  request.set_client_address("10.0.0.1");
  CHECK(ReasonOf(open->Run(Agent("a2"), request).status()) ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(ReasonOf(open->Run(Agent("stranger"), request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(open->Run(Agent("a1"), request).ok());
}

TEST_CASE_METHOD(Fixture, "a request that is malformed or above the caller's station is refused",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const auto code = [&](const Caller& caller, auto change) {
    access::v1::OpenSessionRequest request = Request("wiki");
    change(request);
    return open->Run(caller, request).status().code();
  };
  const Caller person = Person(BotToken());
  CHECK(code(person, [](auto& r) { r.set_request_id("short"); }) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(code(person, [](auto& r) { r.set_request_id("not / an / id / at / all"); }) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(code(person, [](auto& r) { r.clear_server(); }) == absl::StatusCode::kInvalidArgument);
  CHECK(code(person, [](auto& r) { r.set_reason(std::string(1001, 'x')); }) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(code(person, [](auto& r) { r.set_token("x"); }) == absl::StatusCode::kInvalidArgument);
  CHECK(code(person, [](auto& r) { r.set_client_address("10.0.0.2"); }) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(code(person, [](auto& r) { r.mutable_duration()->set_seconds(0); }) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(code(Agent("a1"), [](auto& r) { r.set_client_address("localhost"); }) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(code(admin, [](auto&) {}) == absl::StatusCode::kPermissionDenied);
}

TEST_CASE_METHOD(Fixture,
                 "the same request gives the same session, also after a restart and after its end",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  access::v1::OpenSessionRequest request = Request("wiki");
  request.set_token(BotToken());
  request.set_client_address("10.0.0.1");
  const std::string id = open->Run(Agent("a1"), request)->session().id();
  Restart();
  CHECK(open->Run(Agent("a1"), request)->session().id() == id);
  REQUIRE(EndByAgent(id, types::v1::END_REASON_COMPLETED, 0).ok());
  const auto again = open->Run(Agent("a1"), request);
  CHECK(again->session().id() == id);
  CHECK(again->denial_reason() == types::v1::DENIAL_REASON_SESSION_ENDED);
  CHECK_FALSE(again->has_grant());
  request.set_server("files");
  CHECK(open->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Fixture, "a connection attaches to the session there is, and only to its own",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, bind: address");
  const std::string id = ByAgent(BotToken()).session().id();
  CHECK(ByAgent(BotToken()).session().id() == id);
  CHECK(ByAgent(BotToken(), "wiki", "a1", "::ffff:10.0.0.1").session().id() == id);
  CHECK(ByAgent(BotToken(), "wiki", "a1", "10.0.0.2").session().id() != id);
  CHECK(ByAgent(BotToken(), "wiki", "a2").session().id() != id);
  CHECK(ByAgent(BotToken("bot", "client-2")).session().id() != id);
  CHECK(ByAgent(BotToken("other")).session().id() != id);
  CHECK(ByAgent(BotToken(), "files").session().id() != id);
}

TEST_CASE_METHOD(Fixture, "who attaches to a session is told of its calls so far",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 3");
  const std::string id = ByAgent(BotToken()).session().id();
  AddCalls(id, 2);
  const auto again = ByAgent(BotToken());
  CHECK(again.has_grant());
  CHECK(again.session().calls() == 2);
}

TEST_CASE_METHOD(Fixture,
                 "who asks for a session that waits with another reason, or for longer, asks anew",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 1h, approval: {approvers: [\"okta:approvers\"], count: 2}");
  const auto waiting = ByAgent(BotToken()).session();
  const auto ask = [&](const std::string& reason, absl::Duration duration) {
    access::v1::OpenSessionRequest request = Request("wiki");
    request.set_reason(reason);
    if (duration != absl::ZeroDuration()) *request.mutable_duration() = ToProto(duration);
    const auto response = open->Run(Person(BotToken()), request);
    REQUIRE(response.ok());
    CHECK(response->session().id() == waiting.id());
    return *response;
  };
  const auto asked_by = [&](const access::v1::OpenSessionResponse& response) {
    return ApprovalOf(response.session().approval_id()).proto();
  };
  const auto notices = [&] { return outbox::Due(*Read(), clock.Now(), 100)->size(); };
  // Less time is no more than its approvers have been told.
  const auto shorter = ask("", absl::Minutes(5));
  CHECK(shorter.session().approval_id() == waiting.approval_id());
  CHECK(LastAction() == "session.ask");
  CHECK(asked_by(shorter).duration().seconds() == 300);
  CHECK(notices() == 1);
  const auto explained = ask("ticket 4711", absl::ZeroDuration());
  REQUIRE(explained.session().approval_id() != waiting.approval_id());
  CHECK(ApprovalOf(waiting.approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(ReasonOf(Approve(waiting.approval_id(), SignedIn("alice")).status()) ==
        types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  CHECK(asked_by(explained).reason() == "ticket 4711");
  CHECK(asked_by(explained).duration().seconds() == 300);
  CHECK(notices() == 2);
  CHECK(ask("ticket 4711", absl::ZeroDuration()).session().approval_id() ==
        explained.session().approval_id());
  const auto longest = ask("", absl::Hours(2));
  CHECK(longest.clamped());
  REQUIRE(longest.session().approval_id() != explained.session().approval_id());
  CHECK(asked_by(longest).reason() == "ticket 4711");
  CHECK(asked_by(longest).duration().seconds() == 3600);
  CHECK(notices() == 3);
  // What somebody has said yes to stays as it was, or gets shorter.
  const std::string id = longest.session().approval_id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(ask("another reason", absl::Minutes(10)).session().approval_id() == id);
  const auto late = ask("another reason", absl::Minutes(20));
  CHECK(late.session().reason() == "ticket 4711");
  CHECK(late.clamped());
  CHECK(asked_by(late).reason() == "ticket 4711");
  CHECK(asked_by(late).duration().seconds() == 600);
  CHECK(notices() == 3);
  REQUIRE(Approve(id, SignedIn("bob")).ok());
  const Session session = SessionOf(waiting.id());
  CHECK(session.proto().reason() == "ticket 4711");
  CHECK(session.expires_at() == clock.Now() + absl::Minutes(10));
  // It is open: its time is fixed.
  CHECK(ask("more", absl::Minutes(1)).session().reason() == "ticket 4711");
  CHECK(SessionOf(waiting.id()).expires_at() == clock.Now() + absl::Minutes(10));
}

TEST_CASE_METHOD(Fixture, "people are not asked anew without end", "[controlplane][access]") {
  ApplyPolicy("max_duration: 1h, approval: {approvers: [\"okta:approvers\"]}");
  access::v1::OpenSessionRequest request = Request("wiki");
  types::v1::DenialReason refused = types::v1::DENIAL_REASON_UNSPECIFIED;
  int asked = 0;
  for (; asked < 100 && refused == types::v1::DENIAL_REASON_UNSPECIFIED; ++asked) {
    request = Request("wiki");
    request.set_reason("reason " + std::to_string(asked));
    refused = open->Run(Person(BotToken()), request)->denial_reason();
  }
  CHECK(refused == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(asked == 65);
}

TEST_CASE_METHOD(Fixture, "a session that is bound to the principal serves it from any address",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, bind: principal");
  const std::string id = ByAgent(BotToken()).session().id();
  CHECK(ByAgent(BotToken(), "wiki", "a1", "10.0.0.2").session().id() == id);
}

TEST_CASE_METHOD(Fixture, "with open: request an agent opens nothing by itself",
                 "[controlplane][access]") {
  ApplyPolicy("open: request, max_duration: 15m");
  const auto response = ByAgent(BotToken());
  CHECK(response.denial_reason() == types::v1::DENIAL_REASON_SESSION_REQUIRED);
  CHECK_THAT(response.message(), Catch::Contains("sallyport request wiki"));
  CHECK(sessions::AllLive(*Read())->empty());
}

TEST_CASE_METHOD(Fixture, "with open: request a client reads that its request was denied, and why",
                 "[controlplane][access]") {
  ApplyPolicy("open: request, max_duration: 15m, approval: {approvers: [\"okta:approvers\"]}");
  const std::string id = ByCaller(BotToken()).session().approval_id();
  REQUIRE(Deny(id, SignedIn("alice")).ok());
  const auto refused = ByAgent(BotToken());
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK_THAT(refused.message(),
             Catch::Contains(id) && Catch::Contains("okta:alice") && Catch::Contains("not today"));
  CHECK(ByAgent(BotToken("other")).denial_reason() == types::v1::DENIAL_REASON_SESSION_REQUIRED);
}

TEST_CASE_METHOD(Fixture, "what a caller asked for belongs to the agent of its first connection",
                 "[controlplane][access]") {
  ApplyPolicy("open: request, max_duration: 15m, bind: address");
  const auto asked = ByCaller(BotToken());
  REQUIRE(asked.session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(asked.session().agent().empty());
  CHECK_FALSE(asked.has_grant());
  CHECK(ByAgent(BotToken(), "wiki", "a1", "10.0.0.2").denial_reason() ==
        types::v1::DENIAL_REASON_SESSION_REQUIRED);
  const auto connected = ByAgent(BotToken());
  CHECK(connected.session().id() == asked.session().id());
  CHECK(Verified(connected.grant(), "a1").agent == "a1");
  CHECK(ByAgent(BotToken(), "wiki", "a2").denial_reason() ==
        types::v1::DENIAL_REASON_SESSION_REQUIRED);
}

TEST_CASE_METHOD(Fixture, "a caller with a session at one agent asks for one at another",
                 "[controlplane][access]") {
  ApplyPolicy("open: request, max_duration: 15m");
  const auto asked = ByCaller(BotToken());
  REQUIRE(ByAgent(BotToken()).session().id() == asked.session().id());
  const auto refused = ByAgent(BotToken(), "wiki", "a2");
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_SESSION_REQUIRED);
  CHECK_THAT(refused.message(), Catch::Contains("sallyport request wiki --agent a2"));
  CHECK(ByCaller(BotToken()).session().id() == asked.session().id());

  access::v1::OpenSessionRequest request = Request("wiki");
  request.set_agent("a2");
  const auto other = open->Run(Person(BotToken()), request);
  REQUIRE(other.ok());
  CHECK(other->session().agent() == "a2");
  CHECK(other->session().id() != asked.session().id());
  CHECK(open->Run(Person(BotToken()), request)->session().id() == other->session().id());
  CHECK(ByAgent(BotToken(), "wiki", "a2").session().id() == other->session().id());
  CHECK(ByAgent(BotToken()).session().id() == asked.session().id());

  request = Request("wiki");
  request.set_agent("a3");
  const auto unknown = open->Run(Person(BotToken()), request);
  CHECK(unknown.status().code() == absl::StatusCode::kNotFound);
  CHECK_THAT(std::string(unknown.status().message()), Catch::Contains("a1, a2 do"));
  // Who may not use the server learns of no agent.
  request = Request("whatever");
  request.set_agent("a3");
  CHECK(open->Run(Person(BotToken()), request)->denial_reason() ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE_METHOD(Fixture, "what a caller says is about the session that waits",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"]}");
  const auto waiting = ByAgent(BotToken(), "wiki", "a2").session();
  clock.Advance(absl::Seconds(1));
  const auto newer = ByAgent(BotToken()).session();
  REQUIRE(Approve(newer.approval_id(), SignedIn("alice")).ok());
  CHECK(ByCaller(BotToken()).session().id() == waiting.id());
}

TEST_CASE_METHOD(Fixture,
                 "a duration longer than the policy's is clamped and said, a shorter one holds",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  access::v1::OpenSessionRequest request = Request("wiki");
  request.mutable_duration()->set_seconds(3600);
  const auto longer = open->Run(Person(BotToken()), request);
  CHECK(longer->clamped());
  CHECK(FromProto(longer->session().expires_at()) == clock.Now() + absl::Minutes(15));
  request = Request("wiki");
  request.mutable_duration()->set_seconds(60);
  const auto shorter = open->Run(Person(BotToken("other")), request);
  CHECK_FALSE(shorter->clamped());
  CHECK(FromProto(shorter->session().expires_at()) == clock.Now() + absl::Minutes(1));
}

TEST_CASE_METHOD(Fixture,
                 "a server that does not exist and one that is not for the caller look the same",
                 "[controlplane][access]") {
  Apply(
      "kind: Policy\nname: all\nspec:\n  principals: [{realm: okta}]\n  servers: [\"w*\"]\n  "
      "rules: [{allow: {tools: [\"*\"]}}]\n");
  const auto absent = ByCaller(BotToken(), "whatever");
  const auto not_his = ByCaller(BotToken(), "files");
  CHECK(absent.denial_reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(not_his.denial_reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(absent.message() == "there is no server whatever that you may use");
  CHECK(not_his.message() == "there is no server files that you may use");
  CHECK(LastAction() == "session.open");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE_METHOD(Fixture,
                 "a session that needs approval is pending, its approvers are told, and the next "
                 "attempt attaches",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"], expires_after: 10m}");
  const auto response = ByAgent(BotToken());
  REQUIRE(response.session().state() == types::v1::SESSION_STATE_PENDING);
  CHECK_FALSE(response.has_grant());
  CHECK(response.approvers(0) == "okta:approvers");
  CHECK(response.session().client_address() == "10.0.0.1");
  const Approval approval = ApprovalOf(response.session().approval_id());
  CHECK(approval.expires_at() == clock.Now() + absl::Minutes(10));
  CHECK(FromProto(response.approval_expires_at()) == approval.expires_at());
  const auto notices_due = outbox::Due(*Read(), clock.Now(), 10);
  REQUIRE(notices_due->size() == 1);
  CHECK(notices_due->front().notifier == "everyone");
  CHECK_THAT(notices_due->front().body,
             Catch::Contains("\"type\":\"approval.pending\"") && Catch::Contains(approval.id()));
  CHECK(ByAgent(BotToken()).session().id() == response.session().id());
  CHECK(outbox::Due(*Read(), clock.Now(), 10)->size() == 1);
}

TEST_CASE_METHOD(Fixture, "who approves a session is told for how long and for how many calls",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 20, approval: {approvers: [\"okta:approvers\"]}");
  const auto asked = ApprovalOf(ByAgent(BotToken()).session().approval_id()).proto();
  CHECK(asked.duration().seconds() == 900);
  CHECK(asked.max_calls() == 20);
  CHECK_THAT(outbox::Due(*Read(), clock.Now(), 10)->front().body,
             Catch::Contains(R"("duration":"15m","maxCalls":20)"));
}

TEST_CASE_METHOD(Fixture, "a session that waits asks whom the policies in force ask by now",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], expires_after: 8h}");
  const auto first = ByCaller(BotToken());
  REQUIRE(first.session().state() == types::v1::SESSION_STATE_PENDING);
  const std::string others =
      GENERATE(as<std::string>(), "[\"okta:admins\"]", "[\"okta:approvers\"], count: 2");
  ApplyPolicy("max_duration: 10m, approval: {expires_after: 1h, approvers: " + others + "}");
  const auto again = ByAgent(BotToken());
  CHECK(again.session().id() == first.session().id());
  REQUIRE(again.session().state() == types::v1::SESSION_STATE_PENDING);
  CHECK(again.session().agent() == "a1");
  REQUIRE(again.session().approval_id() != first.session().approval_id());
  CHECK(ApprovalOf(first.session().approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  const Approval asked = ApprovalOf(again.session().approval_id());
  CHECK(asked.expires_at() == clock.Now() + absl::Hours(1));
  CHECK(again.approvers(0) == asked.proto().approvers(0));
  CHECK(outbox::OfApproval(*Read(), asked.id())->size() == 1);
  CHECK(ByAgent(BotToken()).session().approval_id() == asked.id());
  CHECK_FALSE(Approve(first.session().approval_id(), SignedIn("alice")).ok());
  const std::string groups = R"(["approvers","admins"])";
  REQUIRE(Approve(asked.id(), SignedIn("alice", groups)).ok());
  if (asked.proto().count() == 2) REQUIRE(Approve(asked.id(), SignedIn("bob", groups)).ok());
  const Session opened = SessionOf(first.session().id());
  CHECK(opened.expires_at() == clock.Now() + absl::Minutes(10));
}

TEST_CASE_METHOD(Fixture, "a session that waits for what nobody asks any more opens",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], expires_after: 8h}");
  access::v1::OpenSessionRequest request = Request("wiki");
  request.set_reason("ticket 7");
  *request.mutable_duration() = ToProto(absl::Minutes(3));
  const auto first = open->Run(Person(BotToken()), request);
  REQUIRE(first->session().state() == types::v1::SESSION_STATE_PENDING);
  ApplyPolicy("max_duration: 15m");
  const auto again = ByAgent(BotToken());
  CHECK(again.session().id() == first->session().id());
  REQUIRE(again.session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(again.session().reason() == "ticket 7");
  CHECK(again.session().approval_id().empty());
  CHECK(FromProto(again.session().expires_at()) == clock.Now() + absl::Minutes(3));
  CHECK(Verified(again.grant(), "a1").client_address == "10.0.0.1");
  CHECK(ApprovalOf(first->session().approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(LastAction() == "session.activate");
}

// Two tokens of one client: it has one session for both.
struct Scoped : Fixture {
  std::string Token(const std::string& scope) {
    return okta.Mint(
        Claims("api://sallyport", "bot", R"(,"cid":"client-1","scp":[")" + scope + "\"]"));
  }
  // For tokens of that scope.
  void ApplyFor(const std::string& scope, const std::string& session) {
    Apply("kind: Policy\nname: of-" + scope + "\nspec:\n  principals: [{realm: okta, scopes: [" +
          scope + "]}]\n  servers: [wiki]\n  session: {" + session +
          "}\n  rules: [{allow: {tools: [\"*\"]}}]\n");
  }
  static constexpr char kApproval[] =
      "approval: {approvers: [\"okta:approvers\"], expires_after: 8h}";
};

TEST_CASE_METHOD(Scoped, "a session that waits and that the policies open no more is denied",
                 "[controlplane][access]") {
  ApplyFor("read", std::string("bind: principal, ") + kApproval);
  const auto first = ByAgent(Token("read"));
  REQUIRE(first.session().client_address().empty());
  std::string scope = "read";
  SECTION("it was asked for from no address, and they bind it to one") {
    ApplyFor("read", std::string("bind: address, ") + kApproval);
  }
  SECTION("they name another token of its principal alone") {
    ApplyFor(scope = "write", kApproval);
    const auto t = Write();
    REQUIRE(*documents::DeleteDocument(*t, types::v1::DOCUMENT_KIND_POLICY, "of-read", admin,
                                       clock.Now()));
    REQUIRE(t->Commit().ok());
  }
  const auto again = ByAgent(Token(scope));
  CHECK(again.session().id() != first.session().id());
  CHECK(again.session().state() == types::v1::SESSION_STATE_PENDING);
  CHECK(SessionOf(first.session().id()).state() == types::v1::SESSION_STATE_DENIED);
  CHECK(ApprovalOf(first.session().approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
}

TEST_CASE_METHOD(Scoped,
                 "what one token needs no approval for is not opened with another that does",
                 "[controlplane][access]") {
  ApplyFor("read", kApproval);
  ApplyFor("write", kApproval);
  const auto first = ByAgent(Token("read"));
  ApplyFor("read", "max_duration: 15m");
  const auto other = ByAgent(Token("write"));
  CHECK(other.session().id() == first.session().id());
  CHECK(other.session().state() == types::v1::SESSION_STATE_PENDING);
  CHECK(ByAgent(Token("read")).session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(SessionOf(first.session().id()).IsActiveAt(clock.Now()));
}

TEST_CASE_METHOD(Scoped,
                 "a token that needs no approval does not wait for that of another, whose question "
                 "stays",
                 "[controlplane][access]") {
  ApplyFor("read", kApproval);
  ApplyFor("write", "max_duration: 15m");
  const auto waiting = ByAgent(Token("read"));
  REQUIRE(waiting.session().state() == types::v1::SESSION_STATE_PENDING);
  const bool by_agent = GENERATE(true, false);
  const auto other = by_agent ? ByAgent(Token("write")) : ByCaller(Token("write"));
  CHECK(other.session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(other.session().id() != waiting.session().id());
  CHECK(other.session().principal().scopes(0) == "write");
  // It has the one from now on.
  CHECK(ByAgent(Token("write")).session().id() == other.session().id());
  CHECK(ByCaller(Token("write")).session().id() == other.session().id());
  const std::string& id = waiting.session().approval_id();
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(ByCaller(Token("read")).session().id() == waiting.session().id());
  CHECK(SessionOf(waiting.session().id()).is_pending());
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(SessionOf(waiting.session().id()).IsActiveAt(clock.Now()));
}

TEST_CASE_METHOD(Fixture, "who asks for sessions and takes it back is told to wait",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
  for (int i = 0; i < 64; ++i) {
    access::v1::EndSessionRequest request;
    request.set_session_id(ByCaller(BotToken()).session().id());
    REQUIRE(end->Run(Person(BotToken()), request).ok());
  }
  CHECK(ByCaller(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(ByCaller(BotToken("other")).session().state() == types::v1::SESSION_STATE_PENDING);
}

TEST_CASE_METHOD(
    Fixture, "a no stands against a client that connects again, until the question's time is over",
    "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"], expires_after: 10m}");
  const auto pending = ByAgent(BotToken());
  REQUIRE(Deny(pending.session().approval_id(), SignedIn("alice")).ok());
  const auto again = ByAgent(BotToken());
  CHECK(again.denial_reason() == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK_FALSE(again.has_session());
  SECTION("a request with a reason asks anew") {
    CHECK(ByCaller(BotToken()).session().state() == types::v1::SESSION_STATE_PENDING);
  }
  SECTION("after the time a connection asks anew") {
    clock.Advance(absl::Minutes(10));
    CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_PENDING);
  }
}

TEST_CASE_METHOD(Fixture, "a no to one question of a client stands while another one of it is open",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"], expires_after: 10m}");
  const auto from = [&](const std::string& address) {
    return ByAgent(BotToken(), "wiki", "a1", address);
  };
  const auto older = from("10.0.0.1");
  clock.Advance(absl::Seconds(1));
  const auto newer = from("10.0.0.2");
  REQUIRE(newer.session().state() == types::v1::SESSION_STATE_PENDING);
  REQUIRE(Deny(older.session().approval_id(), SignedIn("alice")).ok());
  for (const char* address : {"10.0.0.1", "10.0.0.3"})
    CHECK(from(address).denial_reason() == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK(ByAgent(BotToken(), "wiki", "a2").denial_reason() ==
        types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK(ByAgent(BotToken("bot", "client-2")).has_session());
  // What was asked already can be answered still.
  CHECK(from("10.0.0.2").session().id() == newer.session().id());
  clock.Advance(absl::Seconds(1));
  SECTION("a yes that comes later ends the no") {
    REQUIRE(Approve(newer.session().approval_id(), SignedIn("alice")).ok());
    CHECK(from("10.0.0.1").session().state() == types::v1::SESSION_STATE_PENDING);
  }
  SECTION("a no that comes later stands for itself") {
    REQUIRE(Deny(newer.session().approval_id(), SignedIn("alice")).ok());
    clock.Advance(absl::Minutes(10) - absl::Seconds(2));
    CHECK(from("10.0.0.1").denial_reason() == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  }
}

TEST_CASE_METHOD(Fixture,
                 "a lock refuses what it names, and what is locked again after it went opens",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string id = ByAgent(BotToken()).session().id();
  Apply(
      "kind: Lock\nname: incident\nspec: {principal: {realm: okta, subject: bot}, server: wiki, "
      "reason: leaked}\n");
  CHECK(SessionOf(id).proto().end_reason() == types::v1::END_REASON_REVOKED);
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LOCKED);
  CHECK(ByAgent(BotToken(), "files").session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(ByAgent(BotToken("other")).session().state() == types::v1::SESSION_STATE_ACTIVE);
  {
    auto t = Write();
    REQUIRE(*documents::DeleteDocument(*t, types::v1::DOCUMENT_KIND_LOCK, "incident", admin,
                                       clock.Now()));
    REQUIRE(t->Commit().ok());
  }
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Fixture,
                 "a policy that is taken away shuts the door to a live session's next connection",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  REQUIRE(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
  {
    auto t = Write();
    REQUIRE(*documents::DeleteDocument(*t, types::v1::DOCUMENT_KIND_POLICY, "bots", admin,
                                       clock.Now()));
    REQUIRE(t->Commit().ok());
  }
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE_METHOD(Fixture, "a principal cannot pile up sessions from ever new addresses",
                 "[controlplane][access]") {
  ApplyPolicy("bind: address");
  for (int i = 0; i < 16; ++i) {
    CHECK(ByAgent(BotToken(), "wiki", "a1", "10.0.1." + std::to_string(i)).has_session());
  }
  CHECK(ByAgent(BotToken(), "wiki", "a1", "10.0.2.1").denial_reason() ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
}

TEST_CASE_METHOD(Fixture, "a renewal takes a token of the same principal and moves nothing",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const auto opened = ByAgent(BotToken());
  clock.Advance(absl::Minutes(5));
  access::v1::RenewSessionRequest request;
  request.set_session_id(opened.session().id());
  request.set_token(BotToken());
  const auto renewed = renew->Run(Agent("a1"), request);
  REQUIRE(renewed.ok());
  CHECK(renewed->session().expires_at().seconds() == opened.session().expires_at().seconds());
  CHECK(renew->Run(Agent("a2"), request).status().code() == absl::StatusCode::kNotFound);
  CHECK(ReasonOf(renew->Run(Person(BotToken()), request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  request.set_token(BotToken("other"));
  CHECK(ReasonOf(renew->Run(Agent("a1"), request).status()) ==
        types::v1::DENIAL_REASON_CLIENT_MISMATCH);
  request.set_token(BotToken("bot", "client-2"));
  CHECK(ReasonOf(renew->Run(Agent("a1"), request).status()) ==
        types::v1::DENIAL_REASON_CLIENT_MISMATCH);
  request.set_token("x.y.z");
  CHECK(ReasonOf(renew->Run(Agent("a1"), request).status()) ==
        types::v1::DENIAL_REASON_TOKEN_INVALID);
  clock.Advance(absl::Minutes(10));
  request.set_token(BotToken());
  CHECK(ReasonOf(renew->Run(Agent("a1"), request).status()) ==
        types::v1::DENIAL_REASON_SESSION_ENDED);
}

}  // namespace
}  // namespace sallyport::controlplane
