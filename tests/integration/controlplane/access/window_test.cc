#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Fixture, "sessions inside one window share its end", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const auto first = ByAgent(BotToken());
  clock.Advance(absl::Minutes(5));
  REQUIRE(EndByAgent(first.session().id(), types::v1::END_REASON_COMPLETED, 0).ok());
  const auto second = ByAgent(BotToken());
  CHECK(second.session().id() != first.session().id());
  CHECK(second.session().expires_at().seconds() == first.session().expires_at().seconds());
  CHECK(FromProto(second.grant().remaining()) == absl::Minutes(10));
}

TEST_CASE_METHOD(Fixture, "another client of the same principal is inside the same window",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 10");
  const auto first = ByAgent(BotToken());
  clock.Advance(absl::Minutes(5));
  REQUIRE(EndByAgent(first.session().id(), types::v1::END_REASON_COMPLETED, 4).ok());
  const auto second = ByAgent(BotToken("bot", "client-2"), "wiki", "a2");
  CHECK(second.session().expires_at().seconds() == first.session().expires_at().seconds());
  CHECK(Verified(second.grant(), "a2").call_budget == 6);
}

TEST_CASE_METHOD(Fixture, "sessions inside one window share one budget of calls",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 10");
  const auto first = ByAgent(BotToken());
  CHECK(Verified(first.grant(), "a1").call_budget == 10);
  REQUIRE(EndByAgent(first.session().id(), types::v1::END_REASON_COMPLETED, 3).ok());
  const auto second = ByAgent(BotToken());
  CHECK(Verified(second.grant(), "a1").call_budget == 7);
  REQUIRE(EndByAgent(second.session().id(), types::v1::END_REASON_COMPLETED, 7).ok());
  const auto third = ByAgent(BotToken());
  CHECK(third.denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK_THAT(third.message(), Catch::Contains("all 10 calls (max_calls) are used up until 20"));
  CHECK_FALSE(third.has_session());
  clock.Advance(absl::Minutes(15));
  const auto next_window = ByAgent(BotToken());
  CHECK(Verified(next_window.grant(), "a1").call_budget == 10);
  CHECK(FromProto(next_window.session().expires_at()) == clock.Now() + absl::Minutes(15));
}

TEST_CASE_METHOD(Fixture, "a session ends at the second at which its grant does",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 2s");
  clock.Advance(absl::Milliseconds(300));
  const auto opened = ByAgent(BotToken());
  const absl::Time end = FromProto(opened.session().expires_at());
  CHECK(end == clock.Now() + absl::Milliseconds(2700));
  CHECK(Verified(opened.grant(), "a1").expires_at == end);
  CHECK(FromProto(opened.grant().remaining()) == absl::Milliseconds(2700));
}

TEST_CASE_METHOD(Fixture,
                 "in the last second of a window a session opens in the next, which is counted "
                 "from its end",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 5s, max_calls: 10");
  const auto first = ByAgent(BotToken());
  REQUIRE(EndByAgent(first.session().id(), types::v1::END_REASON_COMPLETED, 10).ok());
  clock.Advance(absl::Milliseconds(4000));
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  clock.Advance(absl::Milliseconds(1));
  const auto second = ByAgent(BotToken());
  CHECK(Verified(second.grant(), "a1").call_budget == 10);
  CHECK(FromProto(second.session().expires_at()) == clock.Now() + absl::Milliseconds(5999));
  REQUIRE(EndByAgent(second.session().id(), types::v1::END_REASON_COMPLETED, 10).ok());
  // Two budgets last as long as two windows.
  clock.Advance(absl::Milliseconds(4999));
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  clock.Advance(absl::Milliseconds(1));
  CHECK(ByAgent(BotToken()).has_session());
}

TEST_CASE_METHOD(Fixture, "a session whose end has not been reported counts as used up until it is",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 10");
  const std::string id = ByAgent(BotToken()).session().id();
  {
    admin::v1::EndSessionRequest request;
    request.set_id(id);
    request.set_no_lock(true);
    REQUIRE(end->Run(admin, request).ok());
  }
  const auto refused = ByAgent(BotToken());
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK_THAT(refused.message(),
             Catch::Contains(
                 "of the 10 calls (max_calls) are left is not known, for the agent of session " +
                 id + " has not reported its end") &&
                 Catch::Contains("at the longest until 20"));
  REQUIRE(EndByAgent(id, types::v1::END_REASON_REVOKED, 4).ok());
  CHECK(Verified(ByAgent(BotToken()).grant(), "a1").call_budget == 6);
}

TEST_CASE_METHOD(Fixture, "a new approval starts a new window, counted from the approval",
                 "[controlplane][access]") {
  ApplyPolicy(
      "max_duration: 15m, max_calls: 10, approval: {approvers: [\"okta:approvers\"], "
      "expires_after: 10m}");
  const auto first = ByAgent(BotToken());
  clock.Advance(absl::Minutes(8));
  REQUIRE(Approve(first.session().approval_id(), SignedIn("alice")).ok());
  CHECK(SessionOf(first.session().id()).expires_at() == clock.Now() + absl::Minutes(15));
  REQUIRE(EndByAgent(first.session().id(), types::v1::END_REASON_COMPLETED, 10).ok());
  const auto second = ByAgent(BotToken());
  clock.Advance(absl::Minutes(1));
  REQUIRE(Approve(second.session().approval_id(), SignedIn("alice")).ok());
  const Session session = SessionOf(second.session().id());
  CHECK(session.expires_at() == clock.Now() + absl::Minutes(15));
  CHECK(session.call_budget() == 10);
}

TEST_CASE_METHOD(Fixture, "a window is the principal's for one server", "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 10");
  const auto wiki = ByAgent(BotToken());
  REQUIRE(EndByAgent(wiki.session().id(), types::v1::END_REASON_COMPLETED, 10).ok());
  clock.Advance(absl::Minutes(5));
  CHECK(Verified(ByAgent(BotToken(), "files").grant(), "a1").call_budget == 10);
  CHECK(Verified(ByAgent(BotToken("other")).grant(), "a1").call_budget == 10);
}

}  // namespace
}  // namespace sallyport::controlplane
