#include "agent/session/live_session.h"

#include <catch2/catch.hpp>

#include "tests/fakes/fake_clock.h"

namespace sallyport::agent {
namespace {

using types::v1::END_REASON_COMPLETED;
using types::v1::END_REASON_DISCONNECTED;
using types::v1::END_REASON_EXPIRED;
using types::v1::END_REASON_REVOKED;

// The control plane has just spoken.
constexpr absl::Duration kHeard = absl::ZeroDuration();

struct Stage {
  explicit Stage(std::uint64_t max_calls = 0, std::uint64_t calls = 0) {
    facts.id = "ses_x";
    facts.terms.mutable_idle_timeout()->set_seconds(120);
    facts.terms.mutable_disconnect_grace()->set_seconds(30);
    facts.call_budget = max_calls;
    facts.calls = calls;
    facts.expires_at = clock.Now() + absl::Minutes(15);
    facts.remaining = absl::Minutes(15);
  }
  LiveSession Open() { return LiveSession(loop, clock, facts); }

  Loop loop;
  FakeClock clock;
  SessionFacts facts;
};

TEST_CASE("a session is over when the wall clock passes its end", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  LiveSession::InFlight busy(session);
  stage.clock.StepWallClock(absl::Minutes(15));
  REQUIRE(session.Due(kHeard).has_value());
  CHECK(session.Due(kHeard)->reason == END_REASON_EXPIRED);
}

TEST_CASE("a wall clock that is set back prolongs nothing", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  LiveSession::InFlight busy(session);
  stage.clock.StepWallClock(-absl::Hours(24));
  stage.clock.Advance(absl::Minutes(15) - absl::Seconds(1));
  CHECK_FALSE(session.Due(kHeard).has_value());
  stage.clock.Advance(absl::Seconds(1));
  CHECK(session.Due(kHeard)->reason == END_REASON_EXPIRED);
}

TEST_CASE("a session ends when the control plane has been silent for its lease, busy or not",
          "[agent][session]") {
  Stage stage;
  stage.facts.terms.mutable_lease()->set_seconds(10);
  LiveSession session = stage.Open();
  LiveSession::InFlight busy(session);
  session.ApprovalAsked();
  CHECK_FALSE(session.Due(kHeard).has_value());
  CHECK_FALSE(session.Due(absl::Seconds(10) - absl::Nanoseconds(1)).has_value());
  REQUIRE(session.Due(absl::Seconds(10)).has_value());
  CHECK(session.Due(absl::Seconds(10))->reason == END_REASON_REVOKED);
  CHECK(session.Due(absl::InfiniteDuration())->detail ==
        "the control plane has been silent for 10s, the session's lease");
  CHECK(session.Due(absl::Seconds(10))->denial_reason() == types::v1::DENIAL_REASON_SNAPSHOT_STALE);
}

TEST_CASE("a session without a lease outlives the control plane's silence", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  CHECK_FALSE(session.Due(absl::Hours(100)).has_value());
  CHECK_FALSE(session.Due(absl::InfiniteDuration()).has_value());
}

TEST_CASE("a session ends when nothing was asked for the idle timeout", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  stage.clock.Advance(absl::Seconds(119));
  CHECK_FALSE(session.Due(kHeard).has_value());
  session.Touch();
  stage.clock.Advance(absl::Seconds(119));
  CHECK_FALSE(session.Due(kHeard).has_value());
  stage.clock.Advance(absl::Seconds(1));
  CHECK(session.Due(kHeard)->reason == END_REASON_EXPIRED);
}

TEST_CASE("a request in flight and a call that waits for a person hold idleness off",
          "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  {
    LiveSession::InFlight busy(session);
    stage.clock.Advance(absl::Minutes(5));
    CHECK_FALSE(session.Due(kHeard).has_value());
  }
  session.ApprovalAsked();
  stage.clock.Advance(absl::Minutes(5));
  CHECK_FALSE(session.Due(kHeard).has_value());
  session.ApprovalSettled();
  CHECK_FALSE(session.Due(kHeard).has_value());
  stage.clock.Advance(absl::Minutes(2));
  CHECK(session.Due(kHeard)->reason == END_REASON_EXPIRED);
}

TEST_CASE("an open stream alone does not hold idleness off", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  const LiveSession::Stream stream(session);
  stage.clock.Advance(absl::Minutes(2));
  CHECK(session.Due(kHeard)->reason == END_REASON_EXPIRED);
}

TEST_CASE("a client that closed its last stream is disconnected after the grace",
          "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  std::optional<LiveSession::Stream> stream(std::in_place, session);
  { const LiveSession::Stream other(session); }
  stage.clock.Advance(absl::Seconds(60));
  CHECK_FALSE(session.Due(kHeard).has_value());
  stream.reset();
  stage.clock.Advance(absl::Seconds(29));
  CHECK_FALSE(session.Due(kHeard).has_value());
  { const LiveSession::Stream again(session); }
  stage.clock.Advance(absl::Seconds(29));
  CHECK_FALSE(session.Due(kHeard).has_value());
  stage.clock.Advance(absl::Seconds(1));
  CHECK(session.Due(kHeard)->reason == END_REASON_DISCONNECTED);
}

TEST_CASE("a client that never had a stream is not disconnected", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  stage.clock.Advance(absl::Seconds(90));
  CHECK_FALSE(session.Due(kHeard).has_value());
}

TEST_CASE("a client whose stream was refused has had none", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  {
    LiveSession::Stream stream(session);
    stream.Refused();
  }
  stage.clock.Advance(absl::Seconds(90));
  CHECK_FALSE(session.Due(kHeard).has_value());
}

TEST_CASE("a request in flight holds the disconnect off", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  { const LiveSession::Stream stream(session); }
  {
    LiveSession::InFlight busy(session);
    stage.clock.Advance(absl::Seconds(60));
    CHECK_FALSE(session.Due(kHeard).has_value());
  }
  stage.clock.Advance(absl::Seconds(30));
  CHECK(session.Due(kHeard)->reason == END_REASON_DISCONNECTED);
}

TEST_CASE("max_calls is counted on from what the window has used", "[agent][session]") {
  Stage stage(3, 2);
  LiveSession session = stage.Open();
  CHECK_FALSE(session.is_used_up());
  CHECK(session.CountCall());
  CHECK(session.is_used_up());
  CHECK_FALSE(session.CountCall());
  CHECK(session.calls() == 3);
}

TEST_CASE("without max_calls no call is one too many", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  for (int i = 0; i < 1000; ++i) REQUIRE(session.CountCall());
  CHECK_FALSE(session.is_used_up());
}

TEST_CASE("the first end of a session stands", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  session.End({END_REASON_REVOKED, "an operator ended it"});
  session.End({END_REASON_COMPLETED, "later"});
  CHECK(session.end().reason == END_REASON_REVOKED);
  CHECK(session.Due(kHeard)->reason == END_REASON_REVOKED);
}

Task<void> WaitQuiet(Loop* loop, LiveSession* session, std::vector<bool>* answers) {
  answers->push_back(co_await session->WaitUntilQuiet(absl::Seconds(20)));
  loop->Stop();
}
Task<void> StopListening(Loop* loop, std::optional<LiveSession::Listening>* listening,
                         std::vector<bool>* answers) {
  co_await Sleep(*loop, absl::Milliseconds(1));
  CHECK(answers->empty());
  listening->reset();
}

TEST_CASE("who only listens does not hold idleness off, but is waited for at the end",
          "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  std::optional<LiveSession::Listening> listening(std::in_place, session);
  CHECK(session.in_flight() == 0);
  stage.clock.Advance(absl::Seconds(120));
  REQUIRE(session.Due(kHeard).has_value());
  CHECK(session.Due(kHeard)->reason == END_REASON_EXPIRED);
  session.End(*session.Due(kHeard));
  std::vector<bool> answers;
  stage.loop.Spawn(WaitQuiet(&stage.loop, &session, &answers));
  stage.loop.Spawn(StopListening(&stage.loop, &listening, &answers));
  stage.loop.Run();
  CHECK(answers == std::vector<bool>{true});
}

TEST_CASE("a session ends, busy or not, when the policies in force say so", "[agent][session]") {
  Stage stage;
  LiveSession session = stage.Open();
  LiveSession::InFlight busy(session);
  session.EndsByPolicy(stage.clock.Now() + absl::Minutes(1), "the policies in force say so");
  CHECK_FALSE(session.Due(kHeard).has_value());
  stage.clock.Advance(absl::Minutes(1));
  REQUIRE(session.Due(kHeard).has_value());
  CHECK(session.Due(kHeard)->reason == END_REASON_REVOKED);
  CHECK(session.Due(kHeard)->detail == "the policies in force say so");
  session.EndsByPolicy(absl::InfiniteFuture(), "");
  CHECK_FALSE(session.Due(kHeard).has_value());
}

}  // namespace
}  // namespace sallyport::agent
