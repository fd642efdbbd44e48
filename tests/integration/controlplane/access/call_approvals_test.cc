#include "controlplane/access/call_approvals.h"

#include <atomic>
#include <thread>

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
  absl::StatusOr<agent::v1::ConsumeCallApprovalResponse> Consume(
      const std::string& id, const std::string& call_id, const std::string& agent = "a1",
      const std::string& digest = kDigest) {
    agent::v1::ConsumeCallApprovalRequest request;
    request.set_approval_id(id);
    request.set_session_id(session_id);
    request.set_call_id(call_id);
    request.set_arguments_digest(digest);
    return calls->Run(Agent(agent), request);
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

}  // namespace
}  // namespace sallyport::controlplane
