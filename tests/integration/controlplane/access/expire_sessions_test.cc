#include "controlplane/access/expire_sessions.h"

#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Fixture, "a pending session whose approval lapses is denied",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"], expires_after: 10m}");
  const auto pending = ByAgent(BotToken());
  clock.Advance(absl::Minutes(10) - absl::Seconds(1));
  REQUIRE(expire->Run().ok());
  CHECK(SessionOf(pending.session().id()).is_pending());
  clock.Advance(absl::Seconds(1));
  REQUIRE(expire->Run().ok());
  const Session session = SessionOf(pending.session().id());
  CHECK(session.state() == types::v1::SESSION_STATE_DENIED);
  CHECK(session.proto().denial_reason() == types::v1::DENIAL_REASON_APPROVAL_EXPIRED);
  CHECK(ApprovalOf(pending.session().approval_id()).state() == types::v1::APPROVAL_STATE_EXPIRED);
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_PENDING);
}

TEST_CASE_METHOD(Fixture,
                 "a session past its end admits nothing at once, and is ended when its agent has "
                 "had time to report",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string id = ByAgent(BotToken()).session().id();
  clock.Advance(absl::Minutes(15));
  REQUIRE(expire->Run().ok());
  CHECK(SessionOf(id).state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(ByAgent(BotToken()).session().id() != id);
  SECTION("the agent reports") {
    CHECK(EndByAgent(id, types::v1::END_REASON_EXPIRED, 3)->calls() == 3);
    CHECK(SessionOf(id).is_reported());
  }
  SECTION("the agent is silent") {
    clock.Advance(ExpireSessions::kReportGrace + absl::Seconds(1));
    const uint64_t cursor = control->changes().Now();
    REQUIRE(expire->Run().ok());
    CHECK(SessionOf(id).proto().end_reason() == types::v1::END_REASON_EXPIRED);
    CHECK_FALSE(SessionOf(id).is_reported());
    CHECK(control->changes().Since(cursor).items ==
          std::vector<Change>{{ChangeKind::kSession, id}});
  }
}

TEST_CASE_METHOD(Fixture, "a sweep with nothing to do writes nothing", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  ByAgent(BotToken());
  const uint64_t cursor = control->changes().Now();
  REQUIRE(expire->Run().ok());
  CHECK(control->changes().Since(cursor).items.empty());
}

}  // namespace
}  // namespace sallyport::controlplane
