#include "controlplane/access/agent_updates.h"

#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Fixture,
                 "an agent's stream begins with its own live sessions, with grants for it alone",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string id = ByAgent(BotToken()).session().id();
  ByAgent(BotToken(), "wiki", "a2");
  const std::string ended = ByAgent(BotToken("other")).session().id();
  REQUIRE(EndByAgent(ended, types::v1::END_REASON_COMPLETED, 0).ok());
  const auto all = updates->All("a1");
  REQUIRE(all->size() == 1);
  CHECK(all->front().session().session().id() == id);
  CHECK(Verified(all->front().session().grant(), "a1").session_id == id);
  CHECK(updates->All("a3")->empty());
}

TEST_CASE_METHOD(Fixture,
                 "an agent that was away is told why its sessions have ended, until it has closed "
                 "them or they are over anyway",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string id = ByAgent(BotToken()).session().id();
  ByAgent(BotToken("other"));
  CHECK(updates->Ended("a1", clock.Now())->empty());
  admin::v1::EndSessionRequest request;
  request.set_id(id);
  request.set_reason("leaked key");
  REQUIRE(end->Run(admin, request).ok());
  const auto ended = updates->Ended("a1", clock.Now());
  REQUIRE(ended->size() == 1);
  CHECK(ended->front().session().session().id() == id);
  CHECK(ended->front().session().session().detail() == "leaked key");
  CHECK_FALSE(ended->front().session().has_grant());
  CHECK(updates->Ended("a2", clock.Now())->empty());
  CHECK(updates->Ended("a1", clock.Now() + absl::Minutes(15))->empty());
  REQUIRE(EndByAgent(id, types::v1::END_REASON_REVOKED, 0).ok());
  CHECK(updates->Ended("a1", clock.Now())->empty());
}

TEST_CASE_METHOD(Fixture,
                 "an approval reaches the session's agent as an active session with its grant",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
  const auto pending = ByAgent(BotToken());
  CHECK_FALSE(updates->All("a1")->front().session().has_grant());
  const uint64_t cursor = control->changes().Now();
  REQUIRE(Approve(pending.session().approval_id(), SignedIn("alice")).ok());
  std::vector<agent::v1::AgentUpdate> seen;
  for (const Change& change : control->changes().Since(cursor).items) {
    const auto update = updates->Of("a1", change);
    REQUIRE(update.ok());
    if (update->has_value()) seen.push_back(**update);
    CHECK_FALSE(updates->Of("a2", change)->has_value());
  }
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].session().session().state() == types::v1::SESSION_STATE_ACTIVE);
  CHECK(seen[0].session().has_grant());
}

TEST_CASE_METHOD(Fixture, "an end reaches the session's agent without a grant",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string id = ByAgent(BotToken()).session().id();
  Apply("kind: Lock\nname: all\nspec: {}\n");
  const auto update = updates->Of("a1", {ChangeKind::kSession, id});
  REQUIRE(update->has_value());
  CHECK((*update)->session().session().end_reason() == types::v1::END_REASON_REVOKED);
  CHECK_FALSE((*update)->session().has_grant());
}

TEST_CASE_METHOD(Fixture, "a session past its end goes without a grant before it is swept",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  ByAgent(BotToken());
  clock.Advance(absl::Minutes(15));
  const auto all = updates->All("a1");
  REQUIRE(all.ok());
  CHECK_FALSE(all->front().session().has_grant());
}

TEST_CASE_METHOD(Fixture, "approvals of calls reach their agent, approvals of sessions do not",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m",
              "[{require_approval: {tools: [\"*\"], approvers: [\"okta:approvers\"]}}]");
  agent::v1::RequestCallApprovalRequest request;
  request.set_session_id(ByAgent(BotToken()).session().id());
  request.set_method("tools/call");
  request.set_target("deploy");
  request.set_arguments_digest(kDigest);
  const std::string id = calls->Run(Agent("a1"), request)->approval().id();
  const auto all = updates->All("a1");
  REQUIRE(all->size() == 2);
  CHECK((*all)[1].approval().id() == id);
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  const Change change{ChangeKind::kApproval, id};
  CHECK((*updates->Of("a1", change))->approval().state() == types::v1::APPROVAL_STATE_APPROVED);
  CHECK_FALSE(updates->Of("a2", change)->has_value());
}

}  // namespace
}  // namespace sallyport::controlplane
