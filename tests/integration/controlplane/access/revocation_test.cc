#include "controlplane/access/ban_agent.h"
#include "controlplane/access/revoke_principal.h"
#include "controlplane/access/withdrawn_keys.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Revoking : Fixture {
  Revoking() { ApplyPolicy("max_duration: 15m"); }

  absl::StatusOr<admin::v1::RevokePrincipalResponse> Revoke(const std::string& principal,
                                                            bool no_lock = false) {
    admin::v1::RevokePrincipalRequest request;
    request.set_principal(principal);
    request.set_no_lock(no_lock);
    request.set_reason("leaked key");
    return RevokePrincipal(*control, clock, *confirmed_ends).Run(admin, request);
  }
  absl::StatusOr<admin::v1::BanAgentResponse> Ban(const std::string& name) {
    admin::v1::BanAgentRequest request;
    request.set_name(name);
    request.set_reason("stolen disk");
    return BanAgent(*control, clock, is_connected).Run(admin, request);
  }
  // The issuer publishes this key in the place of all others.
  void Publish(const TestIssuer& key) {
    key.WriteJwks(dir / "okta.json");
    REQUIRE(issuers->RefreshNow("okta").ok());
    REQUIRE(issuers->RefreshNow("okta-people").ok());
  }
  std::string EndOf(const std::string& id) { return SessionOf(id).proto().detail(); }
  bool IsLive(const std::string& id) { return SessionOf(id).IsActiveAt(clock.Now()); }
};

TEST_CASE_METHOD(Revoking,
                 "revoking a principal ends all its sessions, pending ones too, with their "
                 "approvals, and nobody else's",
                 "[controlplane][access]") {
  const std::string wiki = ByAgent(BotToken()).session().id();
  const std::string files = ByAgent(BotToken(), "files").session().id();
  const std::string others = ByAgent(BotToken("other", "client-2")).session().id();
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
  const auto pending = ByAgent(BotToken(), "wiki", "a2").session();
  REQUIRE(pending.state() == types::v1::SESSION_STATE_PENDING);
  const auto revoked = Revoke("okta:bot");
  INFO(revoked.status());
  REQUIRE(revoked.ok());
  CHECK(revoked->sessions_size() == 3);
  for (const std::string& id : {wiki, files, pending.id()}) {
    INFO(id);
    CHECK(SessionOf(id).proto().end_reason() == types::v1::END_REASON_REVOKED);
    CHECK(EndOf(id) == "leaked key");
  }
  CHECK(ApprovalOf(pending.approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(IsLive(others));
}

TEST_CASE_METHOD(Revoking,
                 "a revoked principal is locked out of every server by either of its names",
                 "[controlplane][access]") {
  const bool by_subject = GENERATE(true, false);
  REQUIRE(Revoke(by_subject ? "okta:bot" : "okta:client-1")->lock().starts_with("end-principal-"));
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LOCKED);
  CHECK(ByAgent(BotToken(), "files").denial_reason() == types::v1::DENIAL_REASON_LOCKED);
  CHECK(ByAgent(BotToken("else", "client-2")).session().state() == types::v1::SESSION_STATE_ACTIVE);
  // The lock is an ordinary document: what its source says is what holds.
  const auto lock =
      documents::Find(*Read(), types::v1::DOCUMENT_KIND_LOCK, Revoke("okta:bot")->lock());
  const auto parsed = ParseDocuments((*lock)->source(), "lock.yaml");
  INFO(parsed.status());
  REQUIRE(parsed.ok());
  CHECK(parsed->front().lock().SerializeAsString() == (*lock)->lock().SerializeAsString());
}

TEST_CASE_METHOD(Revoking, "a name that nobody has had is said to be one, and locked all the same",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().id();
  const auto mistaken = Revoke(GENERATE(as<std::string>(), "okta:bto", "octa:bot"));
  REQUIRE(mistaken.ok());
  CHECK(mistaken->is_unknown());
  CHECK_FALSE(mistaken->lock().empty());
  CHECK(IsLive(id));
  CHECK_FALSE(Revoke(GENERATE(as<std::string>(), "okta:bot", "okta:client-1"))->is_unknown());
  // Also when all of its sessions are over.
  CHECK_FALSE(Revoke("okta:bot")->is_unknown());
}

TEST_CASE_METHOD(Revoking, "a revocation says whom it covers: all who share a client id",
                 "[controlplane][access]") {
  const std::string bot = ByAgent(BotToken()).session().id();
  const std::string alice = ByAgent(UserToken("alice")).session().id();
  ByAgent(UserToken("alice"), "files");
  REQUIRE(EndByAgent(ByAgent(UserToken("bob")).session().id(), types::v1::END_REASON_COMPLETED, 0)
              .ok());
  admin::v1::RevokePrincipalRequest request;
  request.set_principal("okta:client-1");
  RevokePrincipal revoke_principal(*control, clock, *confirmed_ends);
  const auto covered = [](const admin::v1::RevokePrincipalResponse& response) {
    std::string all;
    for (const admin::v1::CoveredPrincipal& principal : response.principals())
      all += principal.subject() + " " + std::to_string(principal.sessions()) + ", ";
    return all;
  };
  SECTION("of a client id that several share") {
    const auto revoked = revoke_principal.Run(admin, request);
    CHECK(covered(*revoked) == "alice 2, bot 1, bob 0, ");
    CHECK_FALSE(IsLive(bot));
    CHECK_FALSE(IsLive(alice));
  }
  SECTION("without a lock, whose sessions end") {
    request.set_no_lock(true);
    CHECK(covered(*revoke_principal.Run(admin, request)) == "alice 2, bot 1, ");
  }
  SECTION("of one alone") {
    request.set_principal("okta:alice");
    CHECK(covered(*revoke_principal.Run(admin, request)) == "alice 2, ");
    CHECK(IsLive(bot));
  }
  SECTION("of an operator's own client id") {
    request.set_principal("okta:operators");
    Caller carol = Person(okta.Mint(Claims("people", "carol", R"(,"cid":"operators")")));
    PersonCaller person = *carol.person();
    person.is_admin = true;
    ByAgent(BotToken("dave", "operators"));
    CHECK(covered(*revoke_principal.Run(Caller(person, "10.0.0.1"), request)) ==
          "dave 1, carol 0, ");
  }
  SECTION("of more than can be listed") {
    auto t = Write();
    for (int n = 0; n < 120; ++n) {
      Session::Request made{.id = "ses_" + std::to_string(n), .request_id = std::to_string(n)};
      made.principal.set_realm("okta");
      made.principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
      made.principal.set_subject("user-" + std::to_string(n));
      made.principal.set_client_id("client-1");
      made.created_at = clock.Now();
      REQUIRE(sessions::Insert(*t, Session::Pending(made, "apr_" + made.id), {}).ok());
    }
    REQUIRE(t->Commit().ok());
    const auto revoked = revoke_principal.Run(admin, request);
    INFO(revoked.status());
    REQUIRE(revoked.ok());
    CHECK(revoked->principals_size() == 100);
    CHECK(revoked->has_more_principals());
    CHECK(revoked->sessions_size() == 123);
  }
}

TEST_CASE_METHOD(Revoking, "a revocation without a lock lets the principal come again",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().id();
  const auto revoked = Revoke("okta:bot", /*no_lock=*/true);
  CHECK(revoked->lock().empty());
  CHECK_FALSE(IsLive(id));
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Revoking, "a revocation never opens a door sooner than it was",
                 "[controlplane][access]") {
  const auto revoke = [&](std::optional<absl::Duration> lock_for, const std::string& reason) {
    admin::v1::RevokePrincipalRequest request;
    request.set_principal("okta:bot");
    request.set_reason(reason);
    if (lock_for) *request.mutable_lock_duration() = ToProto(*lock_for);
    const auto response = RevokePrincipal(*control, clock, *confirmed_ends).Run(admin, request);
    INFO(response.status());
    REQUIRE(response.ok());
    return *response;
  };
  const auto reason = [&](const std::string& lock) {
    return (*documents::Find(*Read(), types::v1::DOCUMENT_KIND_LOCK, lock))->lock().reason();
  };
  const auto is_locked = [&] {
    return ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LOCKED;
  };
  SECTION("a shorter lock leaves what was there, and says so") {
    const auto lock_for =
        GENERATE(as<std::optional<absl::Duration>>(), std::nullopt, absl::Hours(1));
    const auto first = revoke(lock_for, "stolen");
    CHECK_FALSE(first.had_lock());
    const auto second = revoke(absl::Seconds(1), "test");
    CHECK(second.had_lock());
    CHECK(second.lock() == first.lock());
    CHECK(second.lock_expires_at().seconds() == first.lock_expires_at().seconds());
    CHECK(reason(first.lock()) == "stolen");
    clock.Advance(absl::Minutes(59));
    CHECK(is_locked());
  }
  SECTION("a longer lock takes its place with the first reason") {
    const auto first = revoke(absl::Seconds(1), "stolen");
    const auto second = revoke(std::nullopt, "still");
    CHECK_FALSE(second.had_lock());
    CHECK_FALSE(second.has_lock_expires_at());
    CHECK(reason(second.lock()) == "stolen");
    clock.Advance(absl::Hours(1));
    CHECK(is_locked());
  }
  SECTION("one that has ended is no matter") {
    revoke(absl::Seconds(1), "stolen");
    clock.Advance(absl::Seconds(3));
    const auto second = revoke(absl::Minutes(1), "again");
    CHECK_FALSE(second.had_lock());
    CHECK(reason(second.lock()) == "again");
    CHECK(is_locked());
  }
  SECTION("one that was made to shut out others stays beside") {
    const std::string name = revoke(std::nullopt, "stolen").lock();
    Apply("kind: Lock\nname: " + name + "\nspec: {principal: {realm: okta}, reason: all}\n");
    const auto second = revoke(absl::Seconds(1), "test");
    CHECK(second.lock() == name + "-2");
    CHECK(reason(name) == "all");
    clock.Advance(absl::Minutes(1));
    CHECK(is_locked());
  }
}

TEST_CASE_METHOD(Revoking, "who revokes a principal hears which of its agents are away",
                 "[controlplane][access]") {
  ByAgent(BotToken());
  ByAgent(BotToken(), "files");
  ByAgent(BotToken(), "wiki", "a2");
  away = {"a1"};
  const auto revoked = Revoke("okta:bot");
  REQUIRE(revoked->away_agents_size() == 1);
  CHECK(revoked->away_agents(0).name() == "a1");
  CHECK(FromProto(revoked->away_agents(0).serves_until()) == clock.Now() + absl::Minutes(15));
}

TEST_CASE_METHOD(Revoking, "who bans an agent hears that it is away while it may serve something",
                 "[controlplane][access]") {
  ByAgent(BotToken());
  away = {"a1", "a2"};
  CHECK(Ban("a1")->away_agent().name() == "a1");
  CHECK_FALSE(Ban("a2")->has_away_agent());
}

TEST_CASE_METHOD(Revoking, "only admins revoke a principal, and it must be one",
                 "[controlplane][access]") {
  for (const char* name : {"", "bot", ":bot", "okta:"}) {
    INFO(name);
    CHECK(Revoke(name).status().code() == absl::StatusCode::kInvalidArgument);
  }
  const std::string id = ByAgent(BotToken()).session().id();
  admin::v1::RevokePrincipalRequest request;
  request.set_principal("okta:bot");
  for (const Caller& caller : {SignedIn("alice"), Agent("a1"), Person(BotToken())}) {
    CHECK(
        ReasonOf(RevokePrincipal(*control, clock, *confirmed_ends).Run(caller, request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  }
  CHECK(IsLive(id));
}

TEST_CASE_METHOD(Revoking, "a banned agent's sessions end and it opens no other",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().id();
  const std::string elsewhere = ByAgent(BotToken(), "wiki", "a2").session().id();
  const auto banned = Ban("a1");
  INFO(banned.status());
  REQUIRE(banned.ok());
  CHECK(banned->agent().ban_reason() == "stolen disk");
  REQUIRE(banned->sessions_size() == 1);
  CHECK(EndOf(id) == "agent a1 was banned");
  CHECK(IsLive(elsewhere));
  access::v1::OpenSessionRequest request = Request("wiki");
  request.set_token(BotToken());
  request.set_client_address("10.0.0.1");
  CHECK(ReasonOf(open->Run(Agent("a1"), request).status()) == types::v1::DENIAL_REASON_LOCKED);
  agent::v1::RenewCertificateRequest renewal;
  CHECK(ReasonOf(enroll->Run(Agent("a1"), renewal).status()) == types::v1::DENIAL_REASON_LOCKED);
  // Of the servers that it alone fronted there is none any more.
  CHECK(ByCaller(BotToken(), "files").denial_reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE_METHOD(Revoking, "a ban stands until an enrollment with a join token made after it",
                 "[controlplane][access]") {
  const auto token = [&] {
    admin::v1::CreateJoinTokenRequest request;
    request.set_name("a1");
    request.add_servers("wiki");
    const std::string string = join->Run(admin, request)->join_token();
    agent::v1::EnrollRequest enrollment;
    enrollment.set_secret(string.substr(string.rfind(':') + 1));
    enrollment.set_certificate_request(*MakeCertificateRequest(*GenerateKey(), "agent"));
    return enrollment;
  };
  const agent::v1::EnrollRequest before = token();
  REQUIRE(Ban("a1").ok());
  const absl::Time banned_at = (*agents::Find(*Read(), "a1"))->banned_at;
  clock.Advance(absl::Minutes(1));
  REQUIRE(Ban("a1").ok());
  CHECK((*agents::Find(*Read(), "a1"))->banned_at == banned_at);
  CHECK(ReasonOf(enroll->Run("10.0.0.9", before).status()) ==
        types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
  REQUIRE(enroll->Run("10.0.0.9", token()).ok());
  CHECK_FALSE((*agents::Find(*Read(), "a1"))->is_banned());
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Revoking, "only admins ban, and only what there is", "[controlplane][access]") {
  CHECK(Ban("a9").status().code() == absl::StatusCode::kNotFound);
  admin::v1::BanAgentRequest request;
  request.set_name("a1");
  for (const Caller& caller : {SignedIn("alice"), Agent("a1"), Agent("a2")}) {
    CHECK(ReasonOf(BanAgent(*control, clock, is_connected).Run(caller, request).status()) ==
          types::v1::DENIAL_REASON_ROLE_MISSING);
  }
  CHECK_FALSE((*agents::Find(*Read(), "a1"))->is_banned());
}

TEST_CASE_METHOD(Revoking,
                 "a session ends when its issuer withdraws the key that signed its latest token",
                 "[controlplane][access]") {
  WithdrawnKeys withdrawn(*control, clock, *issuers);
  const std::string id = ByAgent(BotToken()).session().id();
  REQUIRE(withdrawn.Run().ok());
  CHECK(IsLive(id));
  const TestIssuer next;
  Publish(next);
  withdrawn.Changed();
  REQUIRE(withdrawn.Run().ok());
  CHECK_FALSE(IsLive(id));
  CHECK(SessionOf(id).proto().end_reason() == types::v1::END_REASON_REVOKED);
  CHECK(EndOf(id) == "issuer okta has withdrawn the key that signed its token");
}

TEST_CASE_METHOD(Revoking, "a key that goes under the same key id is gone as well",
                 "[controlplane][access]") {
  // Publish writes another key as k1.
  WithdrawnKeys withdrawn(*control, clock, *issuers);
  const std::string pending = [&] {
    ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
    return ByAgent(BotToken()).session().id();
  }();
  const TestIssuer next;
  Publish(next);
  REQUIRE(withdrawn.Run().ok());
  CHECK(SessionOf(pending).state() == types::v1::SESSION_STATE_ENDED);
}

TEST_CASE_METHOD(Revoking,
                 "a token of the new key, brought before the old one goes, keeps a session",
                 "[controlplane][access]") {
  WithdrawnKeys withdrawn(*control, clock, *issuers);
  const std::string id = ByAgent(BotToken()).session().id();
  const TestIssuer next;
  Publish(next);
  access::v1::RenewSessionRequest request;
  request.set_session_id(id);
  request.set_token(
      next.Mint(Claims("api://sallyport", "bot", R"(,"cid":"client-1","scp":["mcp.use"])")));
  const absl::Time end = SessionOf(id).expires_at();
  REQUIRE(renew->Run(Agent("a1"), request).ok());
  CHECK(LastAction() == "session.renew");
  REQUIRE(withdrawn.Run().ok());
  CHECK(IsLive(id));
  CHECK(SessionOf(id).expires_at() == end);
  // The same token again writes nothing.
  const int64_t revision = SessionOf(id).stored().revision;
  REQUIRE(renew->Run(Agent("a1"), request).ok());
  CHECK(SessionOf(id).stored().revision == revision);
}

TEST_CASE_METHOD(Revoking, "sessions of an issuer that is not configured any more end",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().id();
  const auto fewer = *Issuers::Create({Entry("okta-people", "id_token", "people")}, {}, clock);
  REQUIRE(WithdrawnKeys(*control, clock, *fewer).Run().ok());
  CHECK(EndOf(id) == "issuer okta is not trusted any more");
}

TEST_CASE_METHOD(Revoking, "a session is not opened under a key that went while its token was read",
                 "[controlplane][access]") {
  const Caller person = Person(BotToken());
  const TestIssuer next;
  Publish(next);
  const auto response = open->Run(person, Request("wiki"));
  REQUIRE(response.ok());
  CHECK(response->denial_reason() == types::v1::DENIAL_REASON_TOKEN_INVALID);
  CHECK(sessions::AllLive(*Read())->empty());
}

}  // namespace
}  // namespace sallyport::controlplane
