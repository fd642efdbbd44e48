#include "controlplane/access/notice_alarm.h"
#include "controlplane/access/review_session.h"
#include "tests/fakes/captured_stderr.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Emergency : Fixture {
  Emergency() {
    ApplyPolicy(
        "max_duration: 1h, approval: {approvers: [\"okta:approvers\"]}, "
        "break_glass: {groups: [\"okta:oncall\"], max_duration: 5m}");
    config.add_notify()->set_name("approvers");
    config.mutable_notify()->rbegin()->add_approvers("okta:approvers");
    Restart();
  }
  // The access token of a person in these groups.
  std::string Token(const std::string& subject, const std::string& groups) {
    return okta.Mint(Claims("api://sallyport", subject,
                            R"(,"cid":"client-1","uid":")" + subject + R"(","groups":)" + groups));
  }
  std::string OnCall() { return Token("olga", R"(["oncall"])"); }
  access::v1::OpenSessionRequest Glass(const std::string& reason = "production is down") {
    access::v1::OpenSessionRequest request = Request("wiki");
    request.set_break_glass(true);
    request.set_reason(reason);
    return request;
  }
  types::v1::Session Broken() {
    const auto response = open->Run(Person(OnCall()), Glass());
    INFO(response.status());
    REQUIRE(response.ok());
    REQUIRE(response->session().state() == types::v1::SESSION_STATE_ACTIVE);
    return response->session();
  }
  void EndIt(const std::string& id) {
    auto t = Write();
    Session session = **sessions::Find(*t, id);
    REQUIRE(sessions::EndLive(*t, session, sessions::Revoked("drill"), admin, clock.Now()).ok());
    REQUIRE(t->Commit().ok());
  }
  absl::StatusOr<admin::v1::ReviewSessionResponse> Review(const std::string& id,
                                                          const Caller& caller,
                                                          const std::string& note = "was right") {
    admin::v1::ReviewSessionRequest request;
    request.set_id(id);
    request.set_note(note);
    return ReviewSession(*control, *recordings, clock, *policies).Run(caller, request);
  }
  std::vector<types::v1::Session> Unreviewed() {
    admin::v1::ListSessionsRequest request;
    request.set_unreviewed(true);
    const auto listed = read_sessions->Run(admin, request);
    REQUIRE(listed.ok());
    return {listed->items().begin(), listed->items().end()};
  }
};

TEST_CASE_METHOD(Emergency, "glass is broken of the session that waits, not of one that is open",
                 "[controlplane][access]") {
  const auto waiting = ByAgent(OnCall(), "wiki", "a2").session();
  clock.Advance(absl::Seconds(1));
  const auto newer = ByAgent(OnCall()).session();
  REQUIRE(Approve(newer.approval_id(), SignedIn("alice")).ok());
  const types::v1::Session broken = Broken();
  CHECK(broken.id() == waiting.id());
  CHECK(broken.agent() == "a2");
}

TEST_CASE_METHOD(Emergency,
                 "a member of the named group opens a session without its approval, for a shorter "
                 "time, and the session says so",
                 "[controlplane][access]") {
  const types::v1::Session session = Broken();
  CHECK(FromProto(session.expires_at()) == clock.Now() + absl::Minutes(5));
  CHECK(session.reason() == "production is down");
  CHECK(session.approval_id().empty());
  REQUIRE(session.break_glass().skipped_approvers_size() == 1);
  CHECK(session.break_glass().skipped_approvers(0) == "okta:approvers");
  CHECK(LastAction() == "session.break_glass");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().detail == "production is down");
}

TEST_CASE_METHOD(Emergency,
                 "a duration longer than breaking glass gives is clamped and said, a shorter one "
                 "holds, whether or not the session waits already",
                 "[controlplane][access]") {
  if (GENERATE(false, true)) REQUIRE(open->Run(Person(OnCall()), Request("wiki")).ok());
  access::v1::OpenSessionRequest request = Glass();
  const auto [wanted, given] = GENERATE(std::pair(600, 300), std::pair(120, 120));
  request.mutable_duration()->set_seconds(wanted);
  const auto response = open->Run(Person(OnCall()), request);
  REQUIRE(response.ok());
  REQUIRE(response->session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(response->clamped() == (wanted > given));
  CHECK(FromProto(response->session().expires_at()) == clock.Now() + absl::Seconds(given));
}

TEST_CASE_METHOD(Emergency, "every approver who was skipped is told, with the reason",
                 "[controlplane][access]") {
  const types::v1::Session session = Broken();
  const auto due = outbox::Due(*Read(), clock.Now(), 10);
  std::set<std::string> told;
  for (const auto& notice : *due) {
    told.insert(notice.notifier);
    CHECK_THAT(notice.body, Catch::Contains(R"("type":"session.break_glass")"));
    CHECK_THAT(notice.body, Catch::Contains("production is down"));
    CHECK_THAT(notice.body, Catch::Contains(session.id()));
  }
  CHECK(told == std::set<std::string>{"everyone", "approvers"});
}

TEST_CASE_METHOD(Emergency,
                 "skipped approvers whom no notifier is configured for are an alarm at once",
                 "[controlplane][access][notices]") {
  config.clear_notify();
  config.add_notify()->set_name("others");
  config.mutable_notify(0)->add_approvers("okta:somebody-else");
  Restart();
  CapturedStderr said;
  const types::v1::Session session = Broken();
  CHECK_THAT(said.Text(), Catch::Contains("session_unnotified"));
  REQUIRE(session.break_glass().unaddressed_approvers_size() == 1);
  CHECK(session.break_glass().unaddressed_approvers(0) == "okta:approvers");
  CHECK(session.break_glass().notice_alarm() == "no notifier is configured for okta:approvers");
  CHECK(*sessions::CountUnnotified(*Read()) == 1);
  EndIt(session.id());
  REQUIRE(Review(session.id(), SignedIn("ann")).ok());
  CHECK(*sessions::CountUnnotified(*Read()) == 0);
}

TEST_CASE_METHOD(Emergency, "one of two skipped approvers without a notifier is an alarm",
                 "[controlplane][access][notices]") {
  ApplyPolicy(
      "max_duration: 1h, approval: {approvers: [\"okta:approvers\", \"okta:owners\"]}, "
      "break_glass: {groups: [\"okta:oncall\"], max_duration: 5m}");
  config.clear_notify();
  config.add_notify()->set_name("approvers");
  config.mutable_notify(0)->add_approvers("okta:approvers");
  Restart();
  const types::v1::Session session = Broken();
  CHECK(session.break_glass().notice_alarm() == "no notifier is configured for okta:owners");
  const outbox::Notice notice = outbox::OfSession(*Read(), session.id())->at(0);
  const auto t = Write();
  REQUIRE(outbox::SetDelivered(*t, notice.n).ok());
  REQUIRE(UpdateAlarmOf(*t, notice, clock.Now()).ok());
  REQUIRE(t->Commit().ok());
  CHECK(*sessions::CountUnnotified(*Read()) == 1);
}

TEST_CASE_METHOD(Emergency,
                 "glass whose notices nobody takes carries an alarm until one of them arrives",
                 "[controlplane][access][notices]") {
  const types::v1::Session session = Broken();
  CHECK(session.break_glass().notice_alarm().empty());
  const auto of_session = *outbox::OfSession(*Read(), session.id());
  REQUIRE(of_session.size() == 2);
  const auto settle = [&](const outbox::Notice& notice, auto how) {
    const auto t = Write();
    REQUIRE(how(*t, notice.n).ok());
    REQUIRE(UpdateAlarmOf(*t, notice, clock.Now()).ok());
    REQUIRE(t->Commit().ok());
    return SessionOf(session.id()).proto().break_glass().notice_alarm();
  };
  const auto bury = [](WriteTransaction& t, int64_t n) {
    return outbox::Bury(t, n, 1, "notifier chat: 404");
  };
  CHECK(settle(of_session[0], bury).empty());
  CHECK_THAT(settle(of_session[1], bury), Catch::Contains("notifier chat: 404"));
  CHECK(LastAction() == "session.unnotified");
  CHECK(*sessions::CountUnnotified(*Read()) == 1);
  CHECK(settle(of_session[1], outbox::SetDelivered).empty());
  CHECK(LastAction() == "session.notified");
  CHECK(*sessions::CountUnnotified(*Read()) == 0);
}

TEST_CASE_METHOD(Emergency, "the grant carries the reason, for the recording",
                 "[controlplane][access]") {
  const types::v1::Session session = Broken();
  const auto attached = ByAgent(OnCall());
  REQUIRE(attached.session().id() == session.id());
  CHECK(Verified(attached.grant(), "a1").break_glass == "production is down");
}

TEST_CASE_METHOD(Emergency, "nobody else breaks glass, and the attempt is audited",
                 "[controlplane][access]") {
  for (const std::string& token :
       {Token("eve", R"(["approvers"])"), UserToken("eve"), BotToken()}) {
    const auto refused = open->Run(Person(token), Glass());
    REQUIRE(refused.ok());
    CHECK(refused->denial_reason() == types::v1::DENIAL_REASON_POLICY_DENIED);
    CHECK_FALSE(refused->has_session());
    CHECK(LastAction() == "session.break_glass");
    CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason ==
          types::v1::DENIAL_REASON_POLICY_DENIED);
  }
  CHECK(sessions::AllLive(*Read())->empty());
}

TEST_CASE_METHOD(Emergency, "glass is not broken without a reason, nor by an agent",
                 "[controlplane][access]") {
  for (const char* blank : {"", " \t"}) {
    CHECK(open->Run(Person(OnCall()), Glass(blank)).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  access::v1::OpenSessionRequest request = Glass();
  request.set_token(OnCall());
  request.set_client_address("10.0.0.1");
  CHECK(open->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Emergency, "a lock holds against it", "[controlplane][access]") {
  Apply("kind: Lock\nname: stop\nspec: {}\n");
  CHECK(open->Run(Person(OnCall()), Glass())->denial_reason() == types::v1::DENIAL_REASON_LOCKED);
}

TEST_CASE_METHOD(Emergency, "it opens the session that waits, and takes its approval back",
                 "[controlplane][access]") {
  const types::v1::Session pending = ByAgent(OnCall()).session();
  REQUIRE(pending.state() == types::v1::SESSION_STATE_PENDING);
  const types::v1::Session session = Broken();
  CHECK(session.id() == pending.id());
  CHECK(session.agent() == "a1");
  CHECK(ApprovalOf(pending.approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK_FALSE(Approve(pending.approval_id(), SignedIn("ann")).ok());
}

TEST_CASE_METHOD(Emergency, "it opens the session that waits on the terms in force by then",
                 "[controlplane][access]") {
  REQUIRE(ByAgent(OnCall()).session().state() == types::v1::SESSION_STATE_PENDING);
  ApplyPolicy(
      "max_duration: 2m, max_calls: 3, approval: {approvers: [\"okta:approvers\"]}, "
      "break_glass: {groups: [\"okta:oncall\"], max_duration: 5m}");
  const types::v1::Session session = Broken();
  CHECK(session.terms().max_calls() == 3);
  CHECK(FromProto(session.expires_at()) == clock.Now() + absl::Minutes(2));
}

TEST_CASE_METHOD(Emergency,
                 "glass is not broken with one token for what waits with another that may not",
                 "[controlplane][access]") {
  const auto token = [&](const std::string& scope) {
    return okta.Mint(
        Claims("api://sallyport", "olga",
               R"(,"cid":"client-1","uid":"olga","groups":["oncall"],"scp":[")" + scope + R"("])"));
  };
  const auto policy = [](const std::string& name, const std::string& scope,
                         const std::string& session) {
    return "kind: Policy\nname: " + name + "\nspec: {principals: [{realm: okta, scopes: [" + scope +
           "]}], servers: [wiki], session: {approval: {approvers: [\"okta:approvers\"]}" + session +
           "}}\n";
  };
  const std::string glass = ", break_glass: {groups: [\"okta:oncall\"], max_duration: 5m}";
  Apply("kind: Policy\nname: wiki\nspec: {principals: [{realm: nobody}], servers: [wiki]}\n---\n" +
        policy("read", "read", glass) + "---\n" + policy("write", "write", ""));
  const types::v1::Session pending = ByAgent(token("write")).session();
  REQUIRE(pending.state() == types::v1::SESSION_STATE_PENDING);
  const auto refused = open->Run(Person(token("read")), Glass());
  REQUIRE(refused.ok());
  CHECK(refused->denial_reason() == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(SessionOf(pending.id()).proto().state() == types::v1::SESSION_STATE_PENDING);
  // Alone each does what its own policy allows.
  CHECK(open->Run(Person(token("write")), Glass())->denial_reason() ==
        types::v1::DENIAL_REASON_POLICY_DENIED);
}

TEST_CASE_METHOD(
    Emergency,
    "glass that is broken already is not broken again: its reason stays, and the other "
    "one stands in the audit log",
    "[controlplane][access]") {
  const types::v1::Session session = Broken();
  const auto again = open->Run(Person(OnCall()), Glass("and the backup, too"));
  REQUIRE(again.ok());
  CHECK(again->session().id() == session.id());
  CHECK(again->session().reason() == "production is down");
  const audit_log::Line line = audit_log::List(*Read(), 0, 1000)->back();
  CHECK(line.action == "session.break_glass");
  CHECK(line.detail == "it was open: and the backup, too");
  // A lost reply is asked for again, and is nothing new.
  const std::size_t lines = audit_log::List(*Read(), 0, 1000)->size();
  REQUIRE(open->Run(Person(OnCall()), Glass()).ok());
  CHECK(audit_log::List(*Read(), 0, 1000)->size() == lines);
}

TEST_CASE_METHOD(Emergency, "where no approval is needed there is no glass",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 1h");
  CHECK_FALSE(Broken().has_break_glass());
  CHECK(Unreviewed().empty());
}

TEST_CASE_METHOD(Emergency, "glass wins no new budget of calls", "[controlplane][access]") {
  ApplyPolicy(
      "max_duration: 1h, max_calls: 2, approval: {approvers: [\"okta:approvers\"]}, "
      "break_glass: {groups: [\"okta:oncall\"]}");
  const std::string id = Broken().id();
  REQUIRE(ByAgent(OnCall()).session().id() == id);
  REQUIRE(EndByAgent(id, types::v1::END_REASON_COMPLETED, 2).ok());
  CHECK(open->Run(Person(OnCall()), Glass())->denial_reason() ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
}

TEST_CASE_METHOD(Emergency,
                 "it stands as unreviewed until one of those who were skipped has seen it",
                 "[controlplane][access]") {
  const std::string id = Broken().id();
  REQUIRE(Unreviewed().size() == 1);
  // While it goes on there is nothing to look back at.
  CHECK(Review(id, SignedIn("ann")).status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(end->Run(Person(OnCall()),
                   [&] {
                     access::v1::EndSessionRequest request;
                     request.set_session_id(id);
                     return request;
                   }())
              .ok());
  REQUIRE(Unreviewed().size() == 1);
  CHECK(Review(id, SignedIn("ann"), "  ").status().code() == absl::StatusCode::kInvalidArgument);
  const auto reviewed = Review(id, SignedIn("ann"));
  INFO(reviewed.status());
  REQUIRE(reviewed.ok());
  CHECK(reviewed->session().break_glass().review().by().subject() == "ann");
  CHECK(reviewed->session().break_glass().review().note() == "was right");
  CHECK(LastAction() == "session.review");
  CHECK(Unreviewed().empty());
  CHECK(Review(id, SignedIn("bob")).status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE_METHOD(Emergency, "a review shows the calls that were made, reported or not",
                 "[controlplane][access]") {
  const std::string id = Broken().id();
  REQUIRE(ByAgent(OnCall()).session().id() == id);
  AddCalls(id, 2);
  EndIt(id);
  const auto reviewed = Review(id, SignedIn("ann"));
  INFO(reviewed.status());
  REQUIRE(reviewed.ok());
  CHECK(reviewed->session().calls() == 2);
}

TEST_CASE_METHOD(Emergency, "its caller does not review it, nor does who was not skipped",
                 "[controlplane][access]") {
  const std::string id = Broken().id();
  EndIt(id);
  const Caller self = SignedIn("olga", R"(["approvers","oncall"])");
  for (const Caller& caller : {self, SignedIn("eve", "[]"), admin, Agent("a1"), Person(OnCall())}) {
    CHECK(ReasonOf(Review(id, caller).status()) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
    CHECK(LastAction() == "session.review");
  }
  CHECK(Review(id, SignedIn("ann"), "").status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(Review("ses_none", SignedIn("ann")).status().code() == absl::StatusCode::kNotFound);
  CHECK(Unreviewed().size() == 1);
}

TEST_CASE_METHOD(Emergency, "who is to review a session sees it, and none but such",
                 "[controlplane][access]") {
  const types::v1::Session broken = Broken();
  const std::string other = ByAgent(BotToken()).session().id();
  const auto plain = [&](const std::string& subject, const std::string& groups) {
    PersonCaller person = *SignedIn(subject, groups).person();
    person.is_admin = person.is_approver = person.is_auditor = false;
    return Caller(person, "");
  };
  const Caller ann = plain("ann", R"(["approvers"])");
  const Caller eve = plain("eve", "[]");
  admin::v1::ListSessionsRequest list;
  CHECK(ReasonOf(read_sessions->Run(ann, list).status()) == types::v1::DENIAL_REASON_ROLE_MISSING);
  list.set_unreviewed(true);
  REQUIRE(read_sessions->Run(ann, list)->items_size() == 1);
  CHECK(read_sessions->Run(ann, list)->items(0).id() == broken.id());
  CHECK(read_sessions->Run(eve, list)->items().empty());
  CHECK(ReasonOf(read_sessions->Run(Agent("a1"), list).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  const auto seen = [&](const Caller& caller, const std::string& id) {
    admin::v1::GetSessionRequest get;
    get.set_id(id);
    return ReasonOf(read_sessions->Run(caller, get).status());
  };
  CHECK(seen(ann, broken.id()) == types::v1::DENIAL_REASON_UNSPECIFIED);
  for (const std::string& id : {other, std::string("ses_none")}) {
    CHECK(seen(ann, id) == types::v1::DENIAL_REASON_ROLE_MISSING);
  }
  CHECK(seen(eve, broken.id()) == types::v1::DENIAL_REASON_ROLE_MISSING);
  EndIt(broken.id());
  REQUIRE(Review(broken.id(), ann).ok());
  CHECK(read_sessions->Run(ann, list)->items().empty());
}

}  // namespace
}  // namespace sallyport::controlplane
