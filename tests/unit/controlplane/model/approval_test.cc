#include "controlplane/model/approval.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Approval APending() {
  types::v1::Approval proto;
  proto.set_id("apr_1");
  proto.set_method("tools/call");
  *proto.mutable_expires_at() = ToProto(kNow + absl::Minutes(10));
  return Approval::Pending(proto, "a1");
}

types::v1::Principal Alice() {
  types::v1::Principal alice;
  alice.set_realm("okta");
  alice.set_kind(types::v1::PRINCIPAL_KIND_USER);
  alice.set_subject("alice");
  return alice;
}

Approval AnApproved() {
  Approval approval = APending();
  REQUIRE(approval.Decide(Alice(), true, "", kNow).ok());
  return approval;
}

TEST_CASE("an approval keeps who decided, how and when", "[controlplane][model]") {
  const Approval approval = AnApproved();
  CHECK(approval.state() == types::v1::APPROVAL_STATE_APPROVED);
  REQUIRE(approval.proto().decisions_size() == 1);
  CHECK(approval.proto().decisions(0).by().subject() == "alice");
  CHECK(approval.proto().decisions(0).approve());
  CHECK(FromProto(approval.proto().decisions(0).at()) == kNow);
}

TEST_CASE("once it is decided, that nobody was told of it is past", "[controlplane][model]") {
  for (const bool yes : {true, false}) {
    Approval approval = APending();
    approval.SetNoticeAlarm("no notifier is configured for its approvers");
    approval.AskMore(2);
    REQUIRE(approval.Decide(Alice(), yes, "", kNow).ok());
    CHECK(approval.proto().notice_alarm().empty() == !yes);
    if (!yes) continue;
    types::v1::Principal bob = Alice();
    bob.set_subject("bob");
    REQUIRE(approval.Decide(bob, true, "", kNow).ok());
    CHECK(approval.proto().notice_alarm().empty());
    approval.AskMore(3);
    CHECK(approval.state() == types::v1::APPROVAL_STATE_APPROVED);
    CHECK(approval.proto().count() == 2);
  }
}

TEST_CASE("an approval is decided once", "[controlplane][model]") {
  Approval approval = AnApproved();
  CHECK(approval.Decide(Alice(), false, "no", kNow).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(approval.state() == types::v1::APPROVAL_STATE_APPROVED);
  CHECK(approval.proto().decisions_size() == 1);
}

TEST_CASE("an approval past its end is neither decided nor consumed, swept or not",
          "[controlplane][model]") {
  const absl::Time late = kNow + absl::Minutes(10);
  Approval pending = APending();
  CHECK(ReasonOf(pending.Decide(Alice(), true, "", late)) ==
        types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
  Approval approved = AnApproved();
  CHECK(ReasonOf(approved.Consume("call-1", late)) == types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
  CHECK(approved.state() == types::v1::APPROVAL_STATE_APPROVED);
}

TEST_CASE("an approval passes one call, and says so again to that call alone",
          "[controlplane][model]") {
  Approval approval = AnApproved();
  REQUIRE(approval.Consume("call-1", kNow).ok());
  CHECK(approval.Consume("call-1", kNow + absl::Hours(1)).ok());
  CHECK(ReasonOf(approval.Consume("call-2", kNow)) == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
}

TEST_CASE("what was not approved is not consumed", "[controlplane][model]") {
  Approval pending = APending();
  CHECK(ReasonOf(pending.Consume("call-1", kNow)) == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  Approval denied = APending();
  REQUIRE(denied.Decide(Alice(), false, "no", kNow).ok());
  CHECK(ReasonOf(denied.Consume("call-1", kNow)) == types::v1::DENIAL_REASON_APPROVAL_DENIED);
  Approval withdrawn = AnApproved();
  REQUIRE(withdrawn.Withdraw().ok());
  CHECK(ReasonOf(withdrawn.Consume("call-1", kNow)) == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  Approval expired = AnApproved();
  REQUIRE(expired.Expire(kNow + absl::Minutes(10)).ok());
  CHECK(ReasonOf(expired.Consume("call-1", kNow)) == types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
}

TEST_CASE("an approval does not expire early, and nothing closed expires or is withdrawn",
          "[controlplane][model]") {
  Approval pending = APending();
  CHECK_FALSE(pending.Expire(kNow).ok());
  Approval consumed = AnApproved();
  REQUIRE(consumed.Consume("call-1", kNow).ok());
  CHECK_FALSE(consumed.Expire(kNow + absl::Hours(1)).ok());
  CHECK_FALSE(consumed.Withdraw().ok());
  CHECK(consumed.state() == types::v1::APPROVAL_STATE_CONSUMED);
}

TEST_CASE("an approval is not consumed by a call without an id", "[controlplane][model]") {
  Approval approval = AnApproved();
  CHECK(approval.Consume("", kNow).code() == absl::StatusCode::kInvalidArgument);
}

types::v1::Principal Person(const std::string& subject) {
  types::v1::Principal person = Alice();
  person.set_subject(subject);
  return person;
}

Approval ForTwo() {
  types::v1::Approval proto = APending().proto();
  proto.set_count(2);
  return Approval::Pending(proto, "a1");
}

TEST_CASE("two people are two subjects, and one of them twice is one", "[controlplane][model]") {
  Approval approval = ForTwo();
  REQUIRE(approval.Decide(Alice(), true, "", kNow).ok());
  CHECK(approval.state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(approval.approvals() == 1);
  // Under another client and in another group, she is who she is.
  types::v1::Principal again = Alice();
  again.set_client_id("another");
  again.add_groups("okta:others");
  CHECK(ReasonOf(approval.Decide(again, true, "", kNow)) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(approval.proto().decisions_size() == 1);
  CHECK_FALSE(approval.Consume("call-1", kNow).ok());
  REQUIRE(approval.Decide(Person("bob"), true, "", kNow).ok());
  CHECK(approval.state() == types::v1::APPROVAL_STATE_APPROVED);
  CHECK(approval.proto().decisions_size() == 2);
}

TEST_CASE("one person's no is enough, also of one who said yes", "[controlplane][model]") {
  Approval approval = ForTwo();
  REQUIRE(approval.Decide(Alice(), true, "", kNow).ok());
  REQUIRE(approval.Decide(GENERATE(true, false) ? Alice() : Person("bob"), false, "no", kNow).ok());
  CHECK(approval.state() == types::v1::APPROVAL_STATE_DENIED);
  CHECK_FALSE(approval.Decide(Person("carol"), true, "", kNow).ok());
}

TEST_CASE("what was granted is taken back until it is used", "[controlplane][model]") {
  Approval pending = APending();
  CHECK(pending.Revoke("user:okta:alice", "", kNow).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(pending.state() == types::v1::APPROVAL_STATE_PENDING);
  Approval granted = AnApproved();
  REQUIRE(granted.Revoke("user:okta:alice", "wrong page", kNow).ok());
  CHECK(granted.state() == types::v1::APPROVAL_STATE_REVOKED);
  CHECK(granted.proto().revocation().by() == "user:okta:alice");
  CHECK(ReasonOf(granted.Consume("call-1", kNow)) == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  CHECK(ReasonOf(granted.Revoke("x", "", kNow)) == types::v1::DENIAL_REASON_APPROVAL_REVOKED);
  Approval used = AnApproved();
  REQUIRE(used.Consume("call-1", kNow).ok());
  CHECK(ReasonOf(used.Revoke("x", "", kNow)) == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
}

}  // namespace
}  // namespace sallyport::controlplane
