#include "controlplane/access/call_approvals.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>

#include "common/time_text.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

constexpr char kRules[] =
    "[{allow: {tools: [echo]}}, {require_approval: {tools: [\"delete-*\"], approvers: "
    "[\"okta:approvers\"], expires_after: 5m}}]";

struct Calling : Fixture {
  Calling() {
    ApplyPolicy("max_duration: 15m", kRules);
    session_id = ByAgent(BotToken()).session().id();
  }

  agent::v1::RequestCallApprovalRequest Asked(const std::string& tool = "delete-page") {
    agent::v1::RequestCallApprovalRequest request;
    request.set_session_id(session_id);
    request.set_method("tools/call");
    request.set_target(tool);
    request.set_arguments_digest(kDigest);
    request.set_arguments(R"({"page":"home"})");
    return request;
  }
  types::v1::Approval Ask() {
    const auto response = calls->Run(Agent("a1"), Asked());
    INFO(response.status());
    REQUIRE(response.ok());
    REQUIRE(response->has_approval());
    return response->approval();
  }
  absl::StatusOr<agent::v1::ReserveCallResponse> Consume(const std::string& id,
                                                         const std::string& call_id,
                                                         const std::string& agent = "a1",
                                                         const std::string& digest = kDigest) {
    const auto version = *meta::CurrentSnapshot(*Read());
    agent::v1::ReserveCallRequest request;
    request.set_approval_id(id);
    request.set_session_id(session_id);
    request.set_call_id(call_id);
    request.set_method("tools/call");
    request.set_target("delete-page");
    request.set_arguments_digest(digest);
    request.set_call_digest(std::string(64, 'c'));
    request.mutable_judged_by()->set_epoch(version.epoch);
    request.mutable_judged_by()->set_version(version.version);
    return reserve->Run(Agent(agent), request);
  }
  types::v1::DenialReason RefusalOf(const std::string& id, const std::string& call_id) {
    const auto response = Consume(id, call_id);
    INFO(response.status());
    REQUIRE(response.ok());
    return response->denial_reason();
  }

  std::string session_id;
};

TEST_CASE_METHOD(
    Calling, "a call that needs a human asks those whom the rule names, with what they need to see",
    "[controlplane][access]") {
  const types::v1::Approval approval = Ask();
  CHECK(approval.state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(approval.approvers(0) == "okta:approvers");
  CHECK(approval.tool() == "delete-page");
  CHECK(approval.arguments() == R"({"page":"home"})");
  CHECK(FromProto(approval.expires_at()) == clock.Now() + absl::Minutes(5));
  CHECK(outbox::Due(*Read(), clock.Now(), 10)->size() == 1);
}

TEST_CASE_METHOD(Calling, "the identical call attaches to its approval, another does not",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  CHECK(Ask().id() == id);
  auto other = Asked("delete-all");
  CHECK(calls->Run(Agent("a1"), other)->approval().id() != id);
  other = Asked();
  other.set_arguments_digest(std::string(64, 'a'));
  CHECK(calls->Run(Agent("a1"), other)->approval().id() != id);
}

TEST_CASE_METHOD(Calling, "an approval passes exactly one call, and says so again to that call",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  REQUIRE(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_APPROVED);
  CHECK(Ask().id() == id);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(RefusalOf(id, "call-2") == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
  Restart();
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(RefusalOf(id, "call-2") == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
  CHECK(Ask().id() != id);
}

TEST_CASE_METHOD(Calling, "a no to a call stands for the identical call, in a new session too",
                 "[controlplane][access]") {
  const auto asked = [&](const std::string& call_digest = std::string(64, 'c')) {
    auto request = Asked();
    request.set_call_digest(call_digest);
    const auto response = calls->Run(Agent("a1"), request);
    INFO(response.status());
    REQUIRE(response.ok());
    return response->approval();
  };
  const std::string id = asked().id();
  REQUIRE(Deny(id, SignedIn("alice")).ok());
  const auto told = [&] { return outbox::List(*Read(), {}, INT64_MAX, 100)->size(); };
  const auto before = told();
  CHECK(asked().id() == id);
  CHECK(asked().state() == types::v1::APPROVAL_STATE_DENIED);
  CHECK(asked().decisions(0).reason() == "not today");
  SECTION("another call") { CHECK(asked(std::string(64, 'd')).id() != id); }
  SECTION("another client's") {
    session_id = ByAgent(BotToken("other")).session().id();
    CHECK(asked().id() != id);
  }
  SECTION("in a new session, with another key") {
    REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 0).ok());
    const std::string first = std::exchange(session_id, ByAgent(BotToken()).session().id());
    REQUIRE(session_id != first);
    CHECK(asked().id() == id);
    CHECK(told() == before);
  }
  SECTION("of other people") {
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:others\"]}}]");
    CHECK(asked().state() == types::v1::APPROVAL_STATE_PENDING);
  }
  SECTION("until its time is over") {
    clock.Advance(absl::Minutes(5));
    CHECK(asked().state() == types::v1::APPROVAL_STATE_PENDING);
    CHECK(told() == before + 1);
  }
}

TEST_CASE_METHOD(Calling, "of many calls that come for one approval, one wins",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto response = Consume(id, "call-" + std::to_string(i));
      if (response.ok() && response->denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED)
        ++winners;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(winners == 1);
}

TEST_CASE_METHOD(Calling, "an approval is no good for other arguments", "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(Consume(id, "call-1", "a1", std::string(64, 'a'))->denial_reason() ==
        types::v1::DENIAL_REASON_ARGUMENTS_CHANGED);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
}

TEST_CASE_METHOD(Calling,
                 "another agent's session does not exist, nor does another session's approval",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(Consume(id, "call-1", "a2").status().code() == absl::StatusCode::kNotFound);
  CHECK(calls->Run(Agent("a2"), Asked()).status().code() == absl::StatusCode::kNotFound);
  CHECK(ReasonOf(calls->Run(SignedIn("alice"), Asked()).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  session_id = ByAgent(BotToken("other")).session().id();
  CHECK(Consume(id, "call-1").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Calling, "an approval of a session is not one of a call",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}", kRules);
  const auto pending = ByAgent(BotToken("other"));
  session_id = pending.session().id();
  CHECK(Consume(pending.session().approval_id(), "call-1").status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(calls->Run(Agent("a1"), Asked())->denial_reason() ==
        types::v1::DENIAL_REASON_SESSION_PENDING);
}

TEST_CASE_METHOD(
    Calling, "an approval that has lapsed passes nothing, and the next identical call asks anew",
    "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  clock.Advance(absl::Minutes(5));
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
  const types::v1::Approval next = Ask();
  CHECK(next.id() != id);
  CHECK(next.state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_EXPIRED);
}

constexpr char kLockOfAlice[] =
    "kind: Lock\nname: incident\nspec: {principal: {realm: okta, subject: alice}}\n";

TEST_CASE_METHOD(Calling,
                 "a yes of somebody who is locked out by now passes nothing, and is asked for anew",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_APPROVED);
  Apply(kLockOfAlice);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  const types::v1::Approval next = Ask();
  CHECK(next.id() != id);
  CHECK(next.state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  REQUIRE(Approve(next.id(), SignedIn("bob")).ok());
  CHECK(RefusalOf(next.id(), "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
}

TEST_CASE_METHOD(Calling, "of two yeses that of somebody who is locked out by now does not count",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m",
              "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:approvers\"], "
              "count: 2, expires_after: 5m}}]");
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_PENDING);
  Apply(kLockOfAlice);
  CHECK(ReasonOf(Approve(id, SignedIn("bob")).status()) ==
        types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
}

TEST_CASE_METHOD(Calling, "a session that takes two people does not open by one who is locked out",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], count: 2}", kRules);
  const auto pending = ByAgent(BotToken("other"));
  const std::string id = pending.session().approval_id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  Apply(kLockOfAlice);
  CHECK(ReasonOf(Approve(id, SignedIn("bob")).status()) ==
        types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  CHECK(SessionOf(pending.session().id()).state() == types::v1::SESSION_STATE_DENIED);
}

TEST_CASE_METHOD(Calling, "a denied call is refused with the reason", "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Deny(id, SignedIn("alice")).ok());
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK(SessionOf(session_id).IsActiveAt(clock.Now()));
}

TEST_CASE_METHOD(Calling,
                 "a call that was withdrawn is not passed; withdrawing again changes nothing",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  agent::v1::WithdrawCallApprovalRequest request;
  request.set_approval_id(id);
  request.set_session_id(session_id);
  CHECK(calls->Run(Agent("a2"), request).status().code() == absl::StatusCode::kNotFound);
  REQUIRE(calls->Run(Agent("a1"), request).ok());
  CHECK(calls->Run(Agent("a1"), request).ok());
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
}

TEST_CASE_METHOD(Calling, "an agent is told what became of an approval of its own, and of no other",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  agent::v1::GetCallApprovalRequest request;
  request.set_approval_id(id);
  request.set_session_id(session_id);
  CHECK(calls->Run(Agent("a1"), request)->approval().state() == types::v1::APPROVAL_STATE_PENDING);
  REQUIRE(Deny(id, SignedIn("alice")).ok());
  const auto denied = calls->Run(Agent("a1"), request);
  CHECK(denied->approval().state() == types::v1::APPROVAL_STATE_DENIED);
  CHECK(denied->approval().decisions(0).reason() == "not today");
  CHECK(calls->Run(Agent("a2"), request).status().code() == absl::StatusCode::kNotFound);
  CHECK(ReasonOf(calls->Run(SignedIn("alice"), request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  request.set_approval_id("apr_other");
  CHECK(calls->Run(Agent("a1"), request).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Calling, "what the policies do not ask approval for is not asked",
                 "[controlplane][access]") {
  CHECK(calls->Run(Agent("a1"), Asked("echo"))->denial_reason() ==
        types::v1::DENIAL_REASON_POLICY_CHANGED);
  CHECK(calls->Run(Agent("a1"), Asked("format-disk"))->denial_reason() ==
        types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(outbox::Due(*Read(), clock.Now(), 10)->empty());
}

TEST_CASE_METHOD(Calling, "an approved call that policy has come to deny does not pass",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  ApplyPolicy("max_duration: 15m", "[{deny: {tools: [\"delete-*\"]}}]");
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_POLICY_CHANGED);
}

TEST_CASE_METHOD(Calling, "an ended or locked session has no call approved or passed",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  SECTION("past its end") { clock.Advance(absl::Minutes(15)); }
  SECTION("ended") { REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 0).ok()); }
  SECTION("locked") { Apply("kind: Lock\nname: all\nspec: {}\n"); }
  CHECK(calls->Run(Agent("a1"), Asked())->denial_reason() ==
        types::v1::DENIAL_REASON_SESSION_ENDED);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_SESSION_ENDED);
}

TEST_CASE_METHOD(Calling, "a session cannot flood its approvers", "[controlplane][access]") {
  for (int i = 0; i < 64; ++i) {
    REQUIRE(calls->Run(Agent("a1"), Asked("delete-" + std::to_string(i)))->has_approval());
  }
  CHECK(calls->Run(Agent("a1"), Asked("delete-64"))->denial_reason() ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(calls->Run(Agent("a1"), Asked("delete-63"))->has_approval());
}

TEST_CASE_METHOD(Calling, "who asks and takes it back, again and again, is told to wait",
                 "[controlplane][access]") {
  const auto ask = [&](int i) {
    return *calls->Run(Agent("a1"), Asked("delete-" + std::to_string(i)));
  };
  const auto take_back = [&](const std::string& id) {
    agent::v1::WithdrawCallApprovalRequest request;
    request.set_session_id(session_id);
    request.set_approval_id(id);
    REQUIRE(calls->Run(Agent("a1"), request).ok());
  };
  const auto answered = ask(0);
  REQUIRE(Approve(answered.approval().id(), SignedIn("alice")).ok());
  const std::string next = TimeText(clock.Now() + absl::Minutes(10));
  for (int i = 1; i <= 64; ++i) {
    const auto asked = ask(i);
    REQUIRE(asked.has_approval());
    take_back(asked.approval().id());
    clock.Advance(absl::Seconds(1));
  }
  CHECK(ask(65).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK_THAT(ask(65).detail(), Catch::Contains(next));
  // Nor by a new session.
  REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 0).ok());
  session_id = ByAgent(BotToken()).session().id();
  CHECK(ask(65).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  session_id = ByAgent(BotToken("other")).session().id();
  CHECK(ask(65).has_approval());
  session_id = ByAgent(BotToken()).session().id();
  clock.Advance(absl::Minutes(10) - absl::Seconds(63));
  CHECK(ask(65).has_approval());
}

TEST_CASE_METHOD(Calling, "a request without a method or a proper digest is malformed",
                 "[controlplane][access]") {
  auto request = Asked();
  request.clear_method();
  CHECK(calls->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
  request = Asked();
  request.set_arguments_digest("abc");
  CHECK(calls->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(Consume("apr_1", "").status().code() == absl::StatusCode::kInvalidArgument);
}

constexpr char kTwo[] =
    "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:approvers\"], count: 2, "
    "expires_after: 5m}}]";

TEST_CASE_METHOD(Calling,
                 "a call that takes two people passes with two, whatever groups they share",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m", kTwo);
  const types::v1::Approval asked = Ask();
  CHECK(asked.count() == 2);
  REQUIRE(Approve(asked.id(), SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(RefusalOf(asked.id(), "call-1") == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  CHECK(ReasonOf(Approve(asked.id(), SignedIn("alice", R"(["approvers","others"])")).status()) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(ReasonOf(Approve(asked.id(), SignedIn("bot")).status()) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  Restart();
  REQUIRE(Approve(asked.id(), SignedIn("bob"))->state() == types::v1::APPROVAL_STATE_APPROVED);
  CHECK(ApprovalOf(asked.id()).proto().decisions_size() == 2);
  CHECK(RefusalOf(asked.id(), "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
}

TEST_CASE_METHOD(Calling, "one person's no ends it for all of them", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m", kTwo);
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  REQUIRE(Deny(id, SignedIn("bob")).ok());
  CHECK(ReasonOf(Approve(id, SignedIn("carol")).status()) ==
        types::v1::DENIAL_REASON_APPROVAL_DENIED);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_DENIED);
}

TEST_CASE_METHOD(Calling,
                 "an approval by too few for today's policies passes nothing, and is asked "
                 "for anew",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  SECTION("more of them") { ApplyPolicy("max_duration: 15m", kTwo); }
  SECTION("others") {
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:others\"]}}]");
  }
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_POLICY_CHANGED);
  const types::v1::Approval next = Ask();
  CHECK(next.id() != id);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
}

TEST_CASE_METHOD(Calling, "who decides is told what today's policies make of his yes",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  const auto refusal = [&] {
    const absl::Status status = Approve(id, SignedIn("alice")).status();
    CHECK(std::string(status.message()).ends_with("approval " + id + " is withdrawn"));
    CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
    CHECK(ApprovalOf(id).approvals() == 0);
    const auto lines = *audit_log::List(*Read(), 0, 1000);
    CHECK(lines.back().action == "approval.approve");
    CHECK(lines.back().denial_reason == ReasonOf(status));
    return ReasonOf(status);
  };
  SECTION("more of the same people: one more is needed") {
    ApplyPolicy("max_duration: 15m", kTwo);
    CHECK(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_PENDING);
    CHECK(ApprovalOf(id).proto().count() == 2);
    CHECK(Ask().id() == id);
    CHECK(Approve(id, SignedIn("bob"))->state() == types::v1::APPROVAL_STATE_APPROVED);
    CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
  }
  SECTION("a deny") {
    ApplyPolicy("max_duration: 15m", "[{deny: {tools: [\"delete-*\"]}}]");
    CHECK(refusal() == types::v1::DENIAL_REASON_POLICY_DENIED);
  }
  SECTION("nothing that lets it through") {
    ApplyPolicy("max_duration: 15m", "[{allow: {tools: [echo]}}]");
    CHECK(refusal() == types::v1::DENIAL_REASON_POLICY_DENIED);
  }
  SECTION("a condition that fails") {
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:approvers\"], "
                "when: [{path: /page, equals: about}]}}]");
    CHECK(refusal() == types::v1::DENIAL_REASON_CONDITION_FAILED);
  }
  SECTION("other people") {
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:others\"]}}]");
    CHECK(refusal() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  }
  SECTION("fewer, or none: it is granted") {
    ApplyPolicy("max_duration: 15m", "[{allow: {tools: [\"delete-*\"]}}]");
    CHECK(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_APPROVED);
  }
  SECTION("a no needs no policy") {
    ApplyPolicy("max_duration: 15m", "[{deny: {tools: [\"delete-*\"]}}]");
    CHECK(Deny(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_DENIED);
  }
}

TEST_CASE_METHOD(Calling, "a granted approval is taken back until it is used",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  admin::v1::RevokeApprovalRequest request;
  request.set_id(id);
  request.set_reason("wrong page");
  const auto refused = [&](const Caller& by, types::v1::DenialReason reason) {
    const absl::Status status = revoke->Run(by, request).status();
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(status) == reason);
    CHECK(LastAction() == "approval.revoke");
    CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason == reason);
  };
  refused(SignedIn("alice"), types::v1::DENIAL_REASON_APPROVAL_PENDING);
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  const absl::Status again = Approve(id, SignedIn("bob")).status();
  CHECK(again.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason ==
        types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
  CHECK(ReasonOf(revoke->Run(SignedIn("mallory", "[]"), request).status()) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  const bool by_admin = GENERATE(true, false);
  REQUIRE(revoke->Run(by_admin ? admin : SignedIn("bob"), request).ok());
  CHECK(LastAction() == "approval.revoke");
  const auto pushed = updates->Of("a1", {ChangeKind::kApproval, id});
  REQUIRE(pushed->has_value());
  CHECK((*pushed)->approval().state() == types::v1::APPROVAL_STATE_REVOKED);
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  refused(admin, types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  CHECK(Ask().id() != id);
}

TEST_CASE_METHOD(Calling, "an approval of a session is not taken back, but ended with it",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}", kRules);
  const std::string id = ByAgent(BotToken("other")).session().approval_id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  admin::v1::RevokeApprovalRequest request;
  request.set_id(id);
  CHECK(revoke->Run(admin, request).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(LastAction() == "approval.revoke");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().denial_reason ==
        types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
}

TEST_CASE_METHOD(Calling, "an approval binds the tool's definition", "[controlplane][access]") {
  auto request = Asked();
  request.set_tool_definition("{\"name\":\"delete-page\",\n\"title\":\"safe\u202e\"}");
  request.set_definition_hash(std::string(64, 'd'));
  const auto approval = calls->Run(Agent("a1"), request)->approval();
  CHECK(approval.tool_definition() == R"({"name":"delete-page", "title":"safe\u202e"})");
  REQUIRE(Approve(approval.id(), SignedIn("alice")).ok());
  CHECK(RefusalOf(approval.id(), "call-1") == types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  // As it stands now it is another question.
  CHECK(calls->Run(Agent("a1"), request)->approval().id() == approval.id());
  request.set_definition_hash(std::string(64, 'e'));
  CHECK(calls->Run(Agent("a1"), request)->approval().id() != approval.id());
  request.clear_definition_hash();
  CHECK(calls->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Calling, "who decides is told what the principal did before",
                 "[controlplane][access]") {
  CHECK(Ask().history().sessions() == 0);
  const std::string first = Ask().id();
  REQUIRE(Approve(first, SignedIn("alice")).ok());
  REQUIRE(RefusalOf(first, "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
  const std::string second = Ask().id();
  REQUIRE(Deny(second, SignedIn("alice")).ok());
  REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 7).ok());
  session_id = ByAgent(BotToken()).session().id();
  const types::v1::PrincipalHistory history = Ask().history();
  CHECK(history.sessions() == 1);
  CHECK(history.calls() == 7);
  CHECK(history.approvals_granted() == 1);
  CHECK(history.approvals_denied() == 1);
  CHECK(history.same_calls() == 1);
  CHECK(history.has_last_session_at());
  CHECK(history.has_last_same_call_at());
  session_id = ByAgent(BotToken("other")).session().id();
  CHECK(Ask().history().same_calls() == 0);
}

TEST_CASE_METHOD(Calling, "each attempt to use an approval that is refused is in the audit log",
                 "[controlplane][access]") {
  const std::string id = Ask().id();
  REQUIRE(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  const audit_log::Line line = audit_log::List(*Read(), 0, 1000)->back();
  CHECK(line.action == "approval.consume");
  CHECK(line.object == id);
  CHECK(line.detail == "call-1");
  CHECK(line.denial_reason == types::v1::DENIAL_REASON_APPROVAL_PENDING);
}

TEST_CASE_METHOD(Calling, "a session that takes two people opens with the second",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], count: 2}", kRules);
  const auto pending = ByAgent(BotToken("other"));
  const std::string id = pending.session().approval_id();
  CHECK(ApprovalOf(id).proto().count() == 2);
  REQUIRE(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(SessionOf(pending.session().id()).is_pending());
  CHECK_FALSE(Approve(id, SignedIn("alice")).ok());
  clock.Advance(absl::Minutes(1));
  REQUIRE(Approve(id, SignedIn("bob"))->state() == types::v1::APPROVAL_STATE_CONSUMED);
  const Session session = SessionOf(pending.session().id());
  CHECK(session.IsActiveAt(clock.Now()));
  CHECK(session.expires_at() == clock.Now() + absl::Minutes(15));
}

TEST_CASE_METHOD(Calling, "the first yes of two is told, too, that the policies open nothing",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], count: 2}", kRules);
  const auto pending = ByAgent(BotToken("other"));
  const std::string id = pending.session().approval_id();
  Apply(
      "kind: Policy\nname: bots\nspec:\n  principals: [{realm: okta, subjects: [nobody]}]\n"
      "  servers: [wiki]\n");
  CHECK(ReasonOf(Approve(id, SignedIn("alice")).status()) ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(SessionOf(pending.session().id()).state() == types::v1::SESSION_STATE_DENIED);
}

// Rules whose conditions read what masks cut out.
struct CallingMasked : Calling {
  CallingMasked() {
    ApplyPolicy(
        "max_duration: 15m",
        "[{allow: {tools: [refund]}}, {require_approval: {tools: [delete-page, refund], when: "
        "[{path: /to, matches: \"[a-z]+@example[.]com\"}], approvers: [\"okta:approvers\"], "
        "expires_after: 5m}}, {deny: {tools: [refund], when: [{path: /n, min: 100}]}}]");
  }

  agent::v1::RequestCallApprovalRequest Cut(const std::string& tool,
                                            const std::string& arguments = kMasked) {
    auto request = Asked(tool);
    request.set_arguments(arguments);
    request.add_cut("/to");
    const auto version = *meta::CurrentSnapshot(*Read());
    request.mutable_judged_by()->set_epoch(version.epoch);
    request.mutable_judged_by()->set_version(version.version);
    return request;
  }

  static constexpr char kMasked[] = R"({"n":1,"to":"[REDACTED:email, 17 characters]"})";
};

TEST_CASE_METHOD(CallingMasked, "a rule that reads what was cut is asked for, and used once",
                 "[controlplane][access]") {
  for (const char* tool : {"delete-page", "refund"}) {
    const auto asked = calls->Run(Agent("a1"), Cut(tool));
    REQUIRE(asked.ok());
    REQUIRE(asked->has_approval());
    CHECK(asked->approval().approvers(0) == "okta:approvers");
    CHECK(asked->approval().cut(0) == "/to");
  }
  const std::string id = calls->Run(Agent("a1"), Cut("delete-page"))->approval().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  CHECK(RefusalOf(id, "call-1") == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(RefusalOf(id, "call-2") == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
}

TEST_CASE_METHOD(CallingMasked, "a yes is not taken for what was cut", "[controlplane][access]") {
  const std::string id = calls->Run(Agent("a1"), Cut("delete-page"))->approval().id();
  SECTION("what reads it may still ask") {
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [delete-page], when: [{path: /to, equals: joe}], "
                "approvers: [\"okta:approvers\"]}}]");
    CHECK(Approve(id, SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_APPROVED);
  }
  SECTION("what does not read it denies") {
    ApplyPolicy("max_duration: 15m",
                "[{deny: {tools: [delete-page], when: [{path: /n, max: 1}]}}]");
    CHECK(ReasonOf(Approve(id, SignedIn("alice")).status()) ==
          types::v1::DENIAL_REASON_POLICY_DENIED);
  }
}

TEST_CASE_METHOD(CallingMasked, "what was cut makes no deny a question, and no question another's",
                 "[controlplane][access]") {
  const auto refusal = [&](const agent::v1::RequestCallApprovalRequest& request) {
    const auto response = calls->Run(Agent("a1"), request);
    REQUIRE(response.ok());
    CHECK_FALSE(response->has_approval());
    return response->denial_reason();
  };
  CHECK(refusal(Cut("refund", R"({"n":100,"to":"[...]"})")) ==
        types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(refusal(Cut("unknown")) == types::v1::DENIAL_REASON_POLICY_DENIED);
  auto request = Cut("delete-page");
  request.set_cut(0, "/n");
  CHECK(refusal(request) == types::v1::DENIAL_REASON_CONDITION_FAILED);
  request = Cut("delete-page");
  request.clear_cut();
  CHECK(refusal(request) == types::v1::DENIAL_REASON_CONDITION_FAILED);
  // The agent's word is about the documents that it had.
  request = Cut("delete-page");
  request.clear_judged_by();
  CHECK(refusal(request) == types::v1::DENIAL_REASON_POLICY_CHANGED);
  request = Cut("delete-page");
  request.mutable_judged_by()->set_version(request.judged_by().version() + 1);
  CHECK(refusal(request) == types::v1::DENIAL_REASON_POLICY_CHANGED);
  request = Cut("delete-page");
  request.set_cut(0, "no pointer");
  CHECK(calls->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sallyport::controlplane
