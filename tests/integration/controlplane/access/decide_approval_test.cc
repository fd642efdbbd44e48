#include "controlplane/access/decide_approval.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Asking : Fixture {
  Asking() { ApplyPolicy(kTerms); }
  static constexpr char kTerms[] =
      "max_duration: 15m, approval: {approvers: [\"okta:approvers\", \"okta:carol\"], "
      "expires_after: 10m}";

  types::v1::DenialReason RefusalOf(const std::string& id, const Caller& by) {
    return ReasonOf(Approve(id, by).status());
  }
};

TEST_CASE_METHOD(Asking, "an approval opens its session for the time the policy gives, from now",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  clock.Advance(absl::Minutes(9));
  const auto approval = Approve(pending.session().approval_id(), SignedIn("alice"));
  REQUIRE(approval.ok());
  CHECK(approval->state() == types::v1::APPROVAL_STATE_CONSUMED);
  CHECK(approval->decisions(0).by().subject() == "alice");
  const auto opened = ByAgent(BotToken());
  CHECK(opened.session().id() == pending.session().id());
  REQUIRE(opened.session().approved_by_size() == 1);
  CHECK(opened.session().approved_by(0) == "okta:alice");
  CHECK(FromProto(opened.session().expires_at()) == clock.Now() + absl::Minutes(15));
  CHECK(Verified(opened.grant(), "a1").client_address == "10.0.0.1");
  Restart();
  CHECK(SessionOf(opened.session().id()).IsActiveAt(clock.Now()));
}

TEST_CASE_METHOD(Asking, "a person may be named himself", "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  CHECK(Approve(pending.session().approval_id(), SignedIn("carol", "[]")).ok());
}

TEST_CASE_METHOD(Asking, "a denial says why, denies the session and stays",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  REQUIRE(Deny(pending.session().approval_id(), SignedIn("alice")).ok());
  const Session session = SessionOf(pending.session().id());
  CHECK(session.state() == types::v1::SESSION_STATE_DENIED);
  CHECK(session.proto().denial_reason() == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK(session.proto().detail() == "denied by okta:alice: not today");
  CHECK(RefusalOf(pending.session().approval_id(), SignedIn("bob")) ==
        types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK(SessionOf(pending.session().id()).state() == types::v1::SESSION_STATE_DENIED);
}

TEST_CASE_METHOD(Asking, "a denial without a reason is refused", "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  admin::v1::DenyApprovalRequest request;
  request.set_id(pending.session().approval_id());
  request.set_reason(GENERATE(as<std::string>(), "", " \t\n"));
  CHECK(decide->Run(SignedIn("alice"), request).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(ApprovalOf(request.id()).state() == types::v1::APPROVAL_STATE_PENDING);
}

TEST_CASE_METHOD(Asking, "nobody approves himself, under whichever issuer entry of his realm",
                 "[controlplane][access]") {
  const auto pending = ByAgent(UserToken("alice"));
  const std::string id = pending.session().approval_id();
  REQUIRE(ApprovalOf(id).proto().principal().kind() == types::v1::PRINCIPAL_KIND_USER);
  CHECK(RefusalOf(id, SignedIn("alice")) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(LastAction() == "approval.approve");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(Approve(id, SignedIn("bob")).ok());
}

TEST_CASE_METHOD(Asking, "a subject that asked as a service does not approve as a person",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken("alice"));
  CHECK(RefusalOf(pending.session().approval_id(), SignedIn("alice")) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
}

TEST_CASE_METHOD(Asking, "who is not named, no person, or nobody in particular does not decide",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().approval_id();
  CHECK(RefusalOf(id, SignedIn("mallory", R"(["others"])")) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(RefusalOf(id, admin) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(RefusalOf(id, Agent("a1")) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  const std::string service = okta.Mint(
      Claims("api://sallyport-admin", "bot-2", R"(,"cid":"client-1","groups":["approvers"])"));
  CHECK(RefusalOf(id, Person(service)) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  const std::string not_for_managing = okta.Mint(
      Claims("api://sallyport", "bob", R"(,"cid":"c","uid":"bob","groups":["approvers"])"));
  CHECK(RefusalOf(id, Person(not_for_managing)) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(Approve("apr_none", SignedIn("alice")).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Asking, "an owner of a service does not approve what it asks for",
                 "[controlplane][access]") {
  ApplyPolicy(kTerms, "[{allow: {tools: [\"*\"]}}]", "realm: okta, owners: [\"okta:deploy-team\"]");
  const std::string id = ByAgent(BotToken()).session().approval_id();
  CHECK(RefusalOf(id, SignedIn("alice", R"(["approvers","deploy-team"])")) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(std::ranges::equal(ApprovalOf(id).proto().owners(), std::vector{"okta:deploy-team"}));
  CHECK(Approve(id, SignedIn("alice", R"(["approvers"])")).ok());
}

TEST_CASE_METHOD(Asking, "a decision comes too late once the time is up, swept or not",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  clock.Advance(absl::Minutes(10));
  CHECK(RefusalOf(pending.session().approval_id(), SignedIn("alice")) ==
        types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
  REQUIRE(expire->Run().ok());
  const absl::Status late = Approve(pending.session().approval_id(), SignedIn("alice")).status();
  CHECK(late.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(late) == types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
}

TEST_CASE_METHOD(Asking, "a decision that comes too late or twice is audited with its reason",
                 "[controlplane][access]") {
  const auto last = [&] { return audit_log::List(*Read(), 0, 1000)->back(); };
  ApplyPolicy(
      "max_duration: 15m, approval: {approvers: [\"okta:approvers\"], count: 2, expires_after: "
      "10m}");
  const std::string id = ByAgent(BotToken()).session().approval_id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(RefusalOf(id, SignedIn("alice")) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(last().action == "approval.approve");
  CHECK(last().object == id);
  CHECK(last().actor == "user:okta:alice");
  CHECK(last().denial_reason == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  SECTION("used") {
    REQUIRE(Approve(id, SignedIn("bob")).ok());
    CHECK_FALSE(Approve(id, SignedIn("carol")).ok());
    CHECK(last().denial_reason == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
    CHECK_FALSE(Deny(id, SignedIn("carol")).ok());
    CHECK(last().action == "approval.deny");
    CHECK(last().denial_reason == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
    CHECK_THAT(last().detail, Catch::Contains("has been used"));
  }
  SECTION("denied") {
    REQUIRE(Deny(id, SignedIn("bob")).ok());
    CHECK_FALSE(Approve(id, SignedIn("carol")).ok());
    CHECK(last().denial_reason == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  }
  SECTION("expired") {
    clock.Advance(absl::Minutes(10));
    CHECK_FALSE(Approve(id, SignedIn("carol")).ok());
    CHECK(last().denial_reason == types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
  }
  SECTION("more often than has a line") {
    for (int i = 0; i < 20; ++i) CHECK_FALSE(Approve(id, SignedIn("alice")).ok());
    int lines = 0;
    const auto listed = audit_log::List(*Read(), 0, 1000);
    for (const auto& line : *listed) {
      lines += line.actor == "user:okta:alice" &&
               line.denial_reason != types::v1::DENIAL_REASON_UNSPECIFIED;
    }
    CHECK(lines == 10);
  }
}

TEST_CASE_METHOD(Asking, "of many who decide at once, one decides", "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  std::vector<Caller> people;
  for (int i = 0; i < 8; ++i) people.push_back(SignedIn("person-" + std::to_string(i)));
  std::atomic<int> decided = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string& id = pending.session().approval_id();
      const absl::Status status =
          i % 2 == 0 ? Approve(id, people[i]).status() : Deny(id, people[i]).status();
      if (status.ok()) ++decided;
      if (status.code() == absl::StatusCode::kFailedPrecondition) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(decided == 1);
  CHECK(refused == 7);
  CHECK(ApprovalOf(pending.session().approval_id()).proto().decisions_size() == 1);
}

TEST_CASE_METHOD(Asking, "an approval that its session's end took back opens nothing",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  admin::v1::EndSessionRequest request;
  request.set_id(pending.session().id());
  REQUIRE(end->Run(admin, request).ok());
  CHECK(RefusalOf(pending.session().approval_id(), SignedIn("alice")) ==
        types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  CHECK(SessionOf(pending.session().id()).state() == types::v1::SESSION_STATE_ENDED);
}

TEST_CASE_METHOD(Asking, "no approval opens what the policies in force would not open",
                 "[controlplane][access]") {
  const std::string rules = "[{allow: {tools: [\"*\"]}}]";
  ApplyPolicy(std::string(kTerms) + ", bind: principal");
  const auto pending = ByAgent(BotToken());
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_POLICY_CHANGED;
  SECTION("it is for others") {
    ApplyPolicy(kTerms, rules, "realm: okta, subjects: [other]");
    reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN;
  }
  SECTION("by other people") {
    ApplyPolicy("max_duration: 15m, bind: principal, approval: {approvers: [\"okta:carol\"]}");
  }
  SECTION("by other people, and more") {
    ApplyPolicy(
        "max_duration: 15m, bind: principal, approval: {approvers: [\"okta:carol\"], count: 2}");
  }
  SECTION("from one address") { ApplyPolicy(kTerms); }
  const std::string& id = pending.session().approval_id();
  CHECK(RefusalOf(id, SignedIn("alice")) == reason);
  CHECK(LastAction() == "approval.approve");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason == reason);
  const Session session = SessionOf(pending.session().id());
  CHECK(session.state() == types::v1::SESSION_STATE_DENIED);
  CHECK(session.proto().denial_reason() == reason);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(RefusalOf(id, SignedIn("bob")) == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
}

TEST_CASE_METHOD(Asking, "a session of which more of the same people are asked waits for them",
                 "[controlplane][access]") {
  const auto terms = [&](int count) {
    ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], count: " +
                std::to_string(count) + "}");
  };
  const int asked = GENERATE(1, 2);
  terms(asked);
  const auto pending = ByAgent(BotToken());
  const std::string id = pending.session().approval_id();
  if (asked == 2) REQUIRE(Approve(id, SignedIn("alice")).ok());
  terms(asked + 1);
  const auto first = Approve(id, SignedIn("bob"));
  INFO(first.status());
  REQUIRE(first.ok());
  CHECK(first->state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(static_cast<int>(first->count()) == asked + 1);
  CHECK(SessionOf(pending.session().id()).is_pending());
  // Its client goes on waiting for the same question.
  CHECK(ByAgent(BotToken()).session().approval_id() == id);
  CHECK(RefusalOf(id, SignedIn("bob")) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  SECTION("the last yes opens it") {
    REQUIRE(Approve(id, SignedIn("carol")).ok());
    CHECK(SessionOf(pending.session().id()).IsActiveAt(clock.Now()));
    CHECK(SessionOf(pending.session().id()).proto().approved_by_size() == asked + 1);
  }
  SECTION("a no ends it") {
    REQUIRE(Deny(id, SignedIn("carol")).ok());
    CHECK(SessionOf(pending.session().id()).state() == types::v1::SESSION_STATE_DENIED);
  }
}

TEST_CASE_METHOD(Asking,
                 "whoever may not decide leaves ten lines a minute, and who decides his own",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().approval_id();
  const auto lines = [&] { return audit_log::List(*Read(), 0, 1000)->size(); };
  const size_t before = lines();
  const Caller mallory = SignedIn("mallory", R"(["nobody"])");
  for (int i = 0; i < 30; ++i) {
    CHECK(ReasonOf(Approve(id, mallory).status()) ==
          types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
    CHECK(ReasonOf(Deny(id, mallory).status()) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
    admin::v1::RevokeApprovalRequest take_back;
    take_back.set_id(id);
    CHECK(ReasonOf(revoke->Run(mallory, take_back).status()) ==
          types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
    CHECK(ByCaller(UserToken("mallory"), "nosuch").denial_reason() ==
          types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  }
  CHECK(lines() == before + 10);
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(LastAction() == "approval.approve");
  REQUIRE(audit_log::SummarizeRefusals(*control, clock.Now() + absl::Minutes(1)).ok());
  CHECK(LastAction() == "requests.refused");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().actor == "user:okta:mallory");
}

TEST_CASE_METHOD(Asking, "an approved session opens on the terms in force by then",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  SECTION("which ask for as much") {
    ApplyPolicy("max_duration: 5m, max_calls: 3, approval: {approvers: [\"okta:approvers\"]}");
  }
  SECTION("which ask for nobody") { ApplyPolicy("max_duration: 5m, max_calls: 3, bind: address"); }
  REQUIRE(Approve(pending.session().approval_id(), SignedIn("alice")).ok());
  const auto opened = ByAgent(BotToken());
  REQUIRE(opened.session().id() == pending.session().id());
  CHECK(FromProto(opened.session().expires_at()) == clock.Now() + absl::Minutes(5));
  const Session session = SessionOf(pending.session().id());
  CHECK(session.proto().terms().max_calls() == 3);
  CHECK(session.call_budget() == 3);
  CHECK(session.duration() == absl::Minutes(5));
  CHECK(Verified(opened.grant(), "a1").policy_version == meta::CurrentSnapshot(*Read())->version);
}

TEST_CASE_METHOD(Asking, "an approved session gets no more calls than its approvers were told of",
                 "[controlplane][access]") {
  constexpr char kAsks[] = ", approval: {approvers: [\"okta:approvers\"]}";
  ApplyPolicy(std::string("max_duration: 5m, max_calls: 2") + kAsks);
  const auto pending = ByAgent(BotToken());
  const std::string max_calls = GENERATE(as<std::string>(), ", max_calls: 1000", "");
  const bool still_asks = GENERATE(true, false);
  ApplyPolicy("max_duration: 15m" + max_calls + (still_asks ? kAsks : ", bind: address"));
  REQUIRE(Approve(pending.session().approval_id(), SignedIn("alice")).ok());
  const Session session = SessionOf(pending.session().id());
  CHECK(session.proto().terms().max_calls() == 2);
  CHECK(session.call_budget() == 2);
  CHECK(session.duration() == absl::Minutes(5));
}

}  // namespace
}  // namespace sallyport::controlplane
