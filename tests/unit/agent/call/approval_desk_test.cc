#include "agent/call/approval_desk.h"

#include <catch2/catch.hpp>

#include "tests/fakes/fake_clock.h"

namespace sallyport::agent {
namespace {

struct Stage {
  Stage() {
    SessionFacts facts;
    facts.id = "ses_1";
    facts.expires_at = clock.Now() + absl::Hours(1);
    facts.remaining = absl::Hours(1);
    facts.terms.mutable_idle_timeout()->set_seconds(60);
    sessions.Add(std::make_unique<ServedSession>(loop, clock, facts, "key"));
    approval.set_id("apr_1");
    approval.set_session_id("ses_1");
    approval.set_method("tools/call");
    approval.set_state(types::v1::APPROVAL_STATE_PENDING);
    approval.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(clock.Now() + absl::Minutes(5)));
  }
  bool is_idle() {
    return sessions.FindById("ses_1")->live().Due(absl::ZeroDuration()).has_value();
  }

  Loop loop;
  FakeClock clock;
  SessionTable sessions;
  ApprovalDesk desk;
  types::v1::Approval approval;
};

TEST_CASE(
    "a call that waits for a person keeps its session from being idle, with or without its client",
    "[agent][call]") {
  Stage stage;
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.clock.Advance(absl::Minutes(2));
  CHECK_FALSE(stage.is_idle());
  stage.approval.set_state(types::v1::APPROVAL_STATE_DENIED);
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.clock.Advance(absl::Seconds(59));
  CHECK_FALSE(stage.is_idle());
  stage.clock.Advance(absl::Seconds(1));
  CHECK(stage.is_idle());
}

TEST_CASE("a granted approval keeps its session from being idle until it is used",
          "[agent][call]") {
  Stage stage;
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.approval.set_state(types::v1::APPROVAL_STATE_APPROVED);
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.clock.Advance(absl::Minutes(4));
  stage.desk.Sweep(stage.clock.Now(), stage.sessions);
  CHECK_FALSE(stage.is_idle());
  stage.approval.set_state(types::v1::APPROVAL_STATE_CONSUMED);
  stage.desk.Learn(stage.approval, stage.sessions);
  CHECK_FALSE(stage.is_idle());
  stage.clock.Advance(absl::Minutes(1));
  CHECK(stage.is_idle());
}

TEST_CASE("an approval that was told of before its session was there holds it all the same",
          "[agent][call]") {
  Stage stage;
  stage.approval.set_session_id("ses_2");
  stage.desk.Learn(stage.approval, stage.sessions);
  SessionFacts facts = stage.sessions.FindById("ses_1")->facts();
  facts.id = "ses_2";
  stage.sessions.Add(std::make_unique<ServedSession>(stage.loop, stage.clock, facts, "other"));
  stage.desk.Sweep(stage.clock.Now(), stage.sessions);
  stage.clock.Advance(absl::Minutes(2));
  CHECK_FALSE(stage.sessions.FindById("ses_2")->live().Due(absl::ZeroDuration()).has_value());
  CHECK(stage.is_idle());
}

TEST_CASE("an approval that lapses without a word is settled, granted or not", "[agent][call]") {
  Stage stage;
  stage.approval.set_state(
      GENERATE(types::v1::APPROVAL_STATE_PENDING, types::v1::APPROVAL_STATE_APPROVED));
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.clock.Advance(absl::Minutes(5) + absl::Seconds(5));
  stage.desk.Sweep(stage.clock.Now(), stage.sessions);
  stage.clock.Advance(absl::Minutes(1));
  CHECK(stage.is_idle());
}

TEST_CASE("a decision that came in its last moment is told when the moment is over",
          "[agent][call]") {
  Stage stage;
  stage.approval.mutable_expires_at()->set_nanos(900'000'000);
  stage.desk.Learn(stage.approval, stage.sessions);
  Signal changed(stage.loop);
  const ApprovalDesk::Waiting waiting(stage.desk, "apr_1", changed);
  stage.clock.Advance(absl::Minutes(5) + absl::Milliseconds(950));
  stage.desk.Sweep(stage.clock.Now(), stage.sessions);
  CHECK(waiting.approval().state() == types::v1::APPROVAL_STATE_PENDING);
  stage.approval.set_state(types::v1::APPROVAL_STATE_APPROVED);
  stage.desk.Learn(stage.approval, stage.sessions);
  CHECK(waiting.approval().state() == types::v1::APPROVAL_STATE_APPROVED);
}

TEST_CASE("what is told later and was read before changes nothing", "[agent][call]") {
  Stage stage;
  stage.desk.Learn(stage.approval, stage.sessions);
  types::v1::Approval older = stage.approval;
  stage.approval.set_state(types::v1::APPROVAL_STATE_APPROVED);
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.desk.Learn(older, stage.sessions);
  Signal changed(stage.loop);
  {
    const ApprovalDesk::Waiting waiting(stage.desk, "apr_1", changed);
    CHECK(waiting.approval().state() == types::v1::APPROVAL_STATE_APPROVED);
  }
  older = stage.approval;
  stage.approval.set_state(types::v1::APPROVAL_STATE_CONSUMED);
  stage.desk.Learn(stage.approval, stage.sessions);
  stage.desk.Sweep(stage.clock.Now(), stage.sessions);
  stage.clock.Advance(absl::Seconds(10));
  stage.desk.Sweep(stage.clock.Now(), stage.sessions);
  // Nobody waited for it, and it is still known to be over.
  stage.desk.Learn(older, stage.sessions);
  stage.clock.Advance(absl::Minutes(1));
  CHECK(stage.is_idle());
}

TEST_CASE("who waits is woken by a decision and sees it", "[agent][call]") {
  Stage stage;
  stage.desk.Learn(stage.approval, stage.sessions);
  Signal changed(stage.loop);
  {
    const ApprovalDesk::Waiting waiting(stage.desk, "apr_1", changed);
    stage.approval.set_state(types::v1::APPROVAL_STATE_DENIED);
    stage.desk.Learn(stage.approval, stage.sessions);
    CHECK(changed.is_set());
    CHECK(waiting.approval().state() == types::v1::APPROVAL_STATE_DENIED);
  }
}

}  // namespace
}  // namespace sallyport::agent
