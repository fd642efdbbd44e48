#include "controlplane/cli/show_approval.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

types::v1::Approval ForTwo() {
  types::v1::Approval approval;
  approval.set_id("apr_1");
  approval.set_state(types::v1::APPROVAL_STATE_PENDING);
  approval.set_method("tools/call");
  approval.set_tool("delete\u202e-page");
  approval.set_arguments(R"({"page":"home"})");
  approval.set_other_params(R"({"task":{"ttl":1}})");
  approval.set_tool_definition(R"({"name":"delete-page","description":"Deletes."})");
  approval.mutable_principal()->set_realm("okta");
  approval.mutable_principal()->set_subject("bot");
  approval.mutable_principal()->set_client_id("client-1");
  approval.set_count(2);
  types::v1::ApprovalDecision& decision = *approval.add_decisions();
  decision.set_approve(true);
  decision.mutable_by()->set_realm("okta");
  decision.mutable_by()->set_subject("alice");
  approval.mutable_history()->set_sessions(3);
  approval.mutable_history()->set_approvals_denied(1);
  approval.mutable_history()->set_same_calls(4);
  return approval;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("who decides sees what runs, who asks, and what came before", "[cli]") {
  const std::string text = ApprovalText(ForTwo());
  INFO(text);
  for (const char* part :
       {R"({"page":"home"})", R"({"task":{"ttl":1}})", "Deletes.", "okta:bot", "client-1", "1 of 2",
        "approved by", "okta:alice", "3 other sessions (0 denied) with 0 calls", "1 denied",
        "4 times", "delete\\u{202e}-page"}) {
    INFO(part);
    CHECK(Has(text, part));
  }
  CHECK_FALSE(Has(text, "owners"));
  CHECK_FALSE(Has(text, "alarm"));
  CHECK_FALSE(Has(text, "in doubt"));
}

TEST_CASE("who owns the service is named as who never decides", "[cli]") {
  types::v1::Approval approval = ForTwo();
  approval.add_owners("okta:deploy-team");
  approval.add_owners("okta:carol");
  const std::string text = ApprovalText(approval);
  INFO(text);
  CHECK(Has(text, "okta:deploy-team okta:carol, who own the service that asks and never decide"));
}

TEST_CASE("who has done nothing before is shown as that", "[cli]") {
  types::v1::Approval approval = ForTwo();
  approval.clear_history();
  CHECK(Has(ApprovalText(approval), "nothing but this session: no other one, no call"));
}

TEST_CASE("of a call that was settled it is said who did it, how and why", "[cli]") {
  types::v1::Call call;
  call.set_session_id("ses_1");
  call.set_call_id("c1");
  call.set_state(types::v1::CALL_STATE_DONE);
  call.mutable_settled_at()->set_seconds(1'799'999'000);
  call.set_resolved_by("user:okta:dave");
  call.set_resolution("looked\u202eit up");
  CHECK(Has(SettledText(call), "ses_1 c1"));
  CHECK(Has(SettledText(call), "; done, said by user:okta:dave at 20"));
  CHECK(Has(SettledText(call), ": looked\\u{202e}it up"));
  call.set_state(types::v1::CALL_STATE_RELEASED);
  CHECK(Has(SettledText(call), "; not done, said by"));
}

TEST_CASE("what is amiss is said", "[cli]") {
  types::v1::Approval approval = ForTwo();
  approval.set_notice_alarm("no notifier is configured for its approvers");
  approval.add_repeats()->set_call_id("c1");
  approval.mutable_revocation()->set_by("user:okta:alice");
  const std::string text = ApprovalText(approval);
  CHECK(Has(text, "nobody has been told: no notifier"));
  CHECK(Has(text, "to approve is to make it again"));
  CHECK(Has(text, "taken back by"));
}

TEST_CASE("who decides on a session sees for how long it is", "[cli]") {
  types::v1::Approval approval;
  CHECK_FALSE(Has(ApprovalText(approval), "open for"));
  approval.mutable_duration()->set_seconds(90);
  CHECK(Has(ApprovalText(approval), "1m30s\n"));
  approval.set_max_calls(20);
  CHECK(Has(ApprovalText(approval), "1m30s, at most 20 calls"));
}

TEST_CASE("an approval without a count takes one person", "[cli]") {
  CHECK(Progress(types::v1::Approval()) == "0 of 1");
}

}  // namespace
}  // namespace sallyport::controlplane
