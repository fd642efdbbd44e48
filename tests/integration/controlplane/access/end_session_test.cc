#include "controlplane/access/end_session.h"

#include <future>
#include <limits>
#include <thread>

#include "common/time_text.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Ending : Fixture {
  Ending() {
    ApplyPolicy("max_duration: 15m");
    id = ByAgent(BotToken()).session().id();
  }
  admin::v1::EndSessionRequest Operators() {
    admin::v1::EndSessionRequest request;
    request.set_id(id);
    request.set_reason("leaked key: \"x\"");
    return request;
  }
  access::v1::EndSessionRequest Callers() {
    access::v1::EndSessionRequest request;
    request.set_session_id(id);
    return request;
  }
  std::string id;
};

TEST_CASE_METHOD(Ending,
                 "an agent's end of a damaged session revokes it, and its calls stay unknown",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m, max_calls: 10");
  id = ByAgent(BotToken("other")).session().id();
  access::v1::EndSessionRequest request = Callers();
  request.set_detail("its recording was damaged");
  const auto ended = end->Run(Agent("a1"), request);
  REQUIRE(ended.ok());
  CHECK(ended->session().end_reason() == types::v1::END_REASON_REVOKED);
  CHECK(ended->session().detail() == "its recording was damaged");
  CHECK(LastAction() == "recording.damaged");
  CHECK_FALSE(SessionOf(id).is_reported());
  // All that it might have called counts against the window.
  CHECK(ByAgent(BotToken("other")).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  // Told again, it changes nothing.
  clock.Advance(absl::Seconds(1));
  CHECK(end->Run(Agent("a1"), request)->session().SerializeAsString() ==
        ended->session().SerializeAsString());
}

TEST_CASE_METHOD(Ending, "another agent's or another caller's session does not exist",
                 "[controlplane][access]") {
  CHECK(end->Run(Agent("a2"), Callers()).status().code() == absl::StatusCode::kNotFound);
  CHECK(end->Run(Person(BotToken("other")), Callers()).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(end->Run(Person(BotToken("bot", "client-2")), Callers()).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(end->Run(SignedIn("alice"), Callers()).status().code() == absl::StatusCode::kNotFound);
  CHECK(SessionOf(id).IsActiveAt(clock.Now()));
}

TEST_CASE_METHOD(Ending, "a caller ends its own session", "[controlplane][access]") {
  const auto ended = end->Run(Person(BotToken()), Callers());
  REQUIRE(ended.ok());
  CHECK(ended->session().end_reason() == types::v1::END_REASON_COMPLETED);
}

TEST_CASE_METHOD(
    Ending,
    "an operator's end revokes the session and keeps the door shut until the lock is deleted",
    "[controlplane][access]") {
  const auto ended = end->Run(admin, Operators());
  REQUIRE(ended.ok());
  CHECK(ended->session().end_reason() == types::v1::END_REASON_REVOKED);
  REQUIRE(ended->lock() == "end-" + id);
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LOCKED);
  CHECK(ByAgent(BotToken("bot", "client-2")).denial_reason() == types::v1::DENIAL_REASON_LOCKED);
  CHECK(ByAgent(BotToken(), "files").session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Ending, "an operator's end of a session that is over changes nothing and says so",
                 "[controlplane][access]") {
  const auto ended = end->Run(admin, Operators());
  CHECK_FALSE(ended->had_ended());
  clock.Advance(absl::Minutes(1));
  admin::v1::EndSessionRequest later = Operators();
  later.set_reason("another reason");
  later.mutable_lock_duration()->set_seconds(60);
  const auto again = end->Run(admin, later);
  REQUIRE(again.ok());
  CHECK(again->had_ended());
  CHECK(again->lock() == ended->lock());
  CHECK(again->session().SerializeAsString() == ended->session().SerializeAsString());
  const auto lock = documents::Find(*Read(), types::v1::DOCUMENT_KIND_LOCK, ended->lock());
  CHECK((*lock)->version() == 1);
  CHECK_FALSE((*lock)->lock().has_expires());
  CHECK_FALSE(again->has_lock_expires_at());
}

TEST_CASE_METHOD(Ending, "an operator's end of a completed session sets no lock",
                 "[controlplane][access]") {
  REQUIRE(EndByAgent(id, types::v1::END_REASON_COMPLETED, 0).ok());
  const auto late = end->Run(admin, Operators());
  REQUIRE(late.ok());
  CHECK(late->had_ended());
  CHECK(late->session().end_reason() == types::v1::END_REASON_COMPLETED);
  CHECK(late->lock().empty());
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Ending,
                 "an operator hears that the session's agent is away, and how long it may go on",
                 "[controlplane][access]") {
  const auto seconds_left = [&](const admin::v1::EndSessionResponse& response) {
    return absl::ToInt64Seconds(FromProto(response.away_agent().serves_until()) - clock.Now());
  };
  const std::string elsewhere = ByAgent(BotToken(), "wiki", "a2").session().id();
  ApplyPolicy("max_duration: 15m, on_control_plane_loss: strict");
  const std::string strict = ByAgent(BotToken(), "files").session().id();
  const absl::Time seen = clock.Now();
  {
    const auto t = Write();
    REQUIRE(agents::NoteSeen(*t, "a1", seen).ok());
    REQUIRE(t->Commit().ok());
  }
  away.insert("a1");
  clock.Advance(absl::Minutes(2));
  const auto ended = end->Run(admin, Operators());
  REQUIRE(ended.ok());
  CHECK(ended->away_agent().name() == "a1");
  CHECK(FromProto(ended->away_agent().last_seen_at()) == seen);
  CHECK(seconds_left(*ended) == 13 * 60);
  admin::v1::EndSessionRequest other = Operators();
  other.set_id(strict);
  CHECK(seconds_left(*end->Run(admin, other)) == 10);
  other.set_id(elsewhere);
  CHECK_FALSE(end->Run(admin, other)->has_away_agent());
  // Asked again, until the agent has closed the recording or the session is over by itself.
  const auto again = end->Run(admin, Operators());
  CHECK(again->had_ended());
  CHECK(again->has_away_agent());
  clock.Advance(absl::Minutes(14));
  CHECK_FALSE(end->Run(admin, Operators())->has_away_agent());
}

TEST_CASE_METHOD(Ending,
                 "an operator hears that an agent which is connected has not confirmed the end",
                 "[controlplane][access]") {
  frozen = {"a1"};
  const auto ended = end->Run(admin, Operators());
  REQUIRE(ended.ok());
  CHECK(ended->away_agent().name() == "a1");
  CHECK(ended->away_agent().connected());
  CHECK(FromProto(ended->away_agent().serves_until()) == clock.Now() + absl::Minutes(15));
  // Another agent's word is none, and the agent's own is good for that session alone.
  confirmed_ends->Note("a2", id);
  confirmed_ends->Note("a1", "ses_another");
  CHECK(end->Run(admin, Operators())->has_away_agent());
  confirmed_ends->Note("a1", id);
  CHECK_FALSE(end->Run(admin, Operators())->has_away_agent());
}

TEST_CASE_METHOD(Ending, "an agent that has closed the recording has confirmed the end",
                 "[controlplane][access]") {
  frozen = {"a1"};
  REQUIRE(end->Run(admin, Operators())->has_away_agent());
  REQUIRE(EndByAgent(id, types::v1::END_REASON_REVOKED, 0).ok());
  CHECK_FALSE(end->Run(admin, Operators())->has_away_agent());
}

TEST_CASE_METHOD(Ending, "an operator waits for the agent's word", "[controlplane][access]") {
  frozen = {"a1"};
  ConfirmedEnds patient(*control, clock, is_connected, absl::InfiniteDuration());
  EndSession patiently(*control, clock, patient);
  auto ended = std::async(std::launch::async, [&] { return patiently.Run(admin, Operators()); });
  while (SessionOf(id).IsActiveAt(clock.Now())) std::this_thread::yield();
  patient.Note("a1", id);
  CHECK_FALSE(ended.get()->has_away_agent());
}

TEST_CASE_METHOD(Ending, "what no agent serves has none that is away", "[controlplane][access]") {
  away = {"a1", "a2"};
  REQUIRE(EndByAgent(id, types::v1::END_REASON_COMPLETED, 0).ok());
  CHECK_FALSE(end->Run(admin, Operators())->has_away_agent());
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
  admin::v1::EndSessionRequest pending;
  pending.set_id(ByAgent(BotToken("other")).session().id());
  CHECK_FALSE(end->Run(admin, pending)->has_away_agent());
}

TEST_CASE_METHOD(Ending, "the lock's source says what its spec says", "[controlplane][access]") {
  admin::v1::EndSessionRequest request = Operators();
  request.mutable_lock_duration()->set_seconds(3600);
  REQUIRE(end->Run(admin, request).ok());
  const auto lock = documents::Find(*Read(), types::v1::DOCUMENT_KIND_LOCK, "end-" + id);
  // Whoever ends it once more hears what holds.
  CHECK(end->Run(admin, Operators())->lock_expires_at().seconds() ==
        (*lock)->lock().expires().seconds());
  const auto parsed = ParseDocuments((*lock)->source(), "lock.yaml");
  INFO(parsed.status());
  REQUIRE(parsed.ok());
  REQUIRE(parsed->size() == 1);
  CHECK(parsed->front().lock().SerializeAsString() == (*lock)->lock().SerializeAsString());
}

TEST_CASE_METHOD(Ending, "a lock that could not be written down is refused, and ends nothing",
                 "[controlplane][access]") {
  for (const std::int64_t seconds :
       {std::int64_t{0}, std::int64_t{-1}, absl::ToInt64Seconds(kLongestDuration) + 1,
        std::numeric_limits<std::int64_t>::max()}) {
    CAPTURE(seconds);
    admin::v1::EndSessionRequest request = Operators();
    request.mutable_lock_duration()->set_seconds(seconds);
    CHECK(end->Run(admin, request).status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(ByAgent(BotToken()).session().id() == id);
  }
  admin::v1::EndSessionRequest longest = Operators();
  longest.mutable_lock_duration()->set_seconds(absl::ToInt64Seconds(kLongestDuration));
  REQUIRE(end->Run(admin, longest).ok());
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LOCKED);
}

TEST_CASE_METHOD(Ending, "a lock for an hour opens again after it", "[controlplane][access]") {
  admin::v1::EndSessionRequest request = Operators();
  request.mutable_lock_duration()->set_seconds(3600);
  REQUIRE(end->Run(admin, request).ok());
  clock.Advance(absl::Minutes(59));
  CHECK(ByAgent(BotToken()).denial_reason() == types::v1::DENIAL_REASON_LOCKED);
  clock.Advance(absl::Minutes(2));
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Ending, "an operator may leave the door open", "[controlplane][access]") {
  admin::v1::EndSessionRequest request = Operators();
  request.set_no_lock(true);
  CHECK(end->Run(admin, request)->lock().empty());
  CHECK(ByAgent(BotToken()).session().state() == types::v1::SESSION_STATE_ACTIVE);
}

TEST_CASE_METHOD(Ending, "only admins end other people's sessions", "[controlplane][access]") {
  CHECK(ReasonOf(end->Run(SignedIn("alice"), Operators()).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(end->Run(Agent("a1"), Operators()).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  PersonCaller reader = *SignedIn("alice").person();
  reader.is_auditor = true;
  CHECK(ReasonOf(end->Run(Caller(reader, ""), Operators()).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  reader.is_admin = true;
  CHECK(end->Run(Caller(reader, ""), Operators()).ok());
}

TEST_CASE_METHOD(Ending, "a session that does not exist is not found", "[controlplane][access]") {
  id = "ses_none";
  CHECK(end->Run(admin, Operators()).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Ending, "a pending session's end takes its approval back",
                 "[controlplane][access]") {
  ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
  const auto pending = ByAgent(BotToken("other"));
  id = pending.session().id();
  REQUIRE(end->Run(admin, Operators()).ok());
  CHECK(ApprovalOf(pending.session().approval_id()).state() == types::v1::APPROVAL_STATE_WITHDRAWN);
}

}  // namespace
}  // namespace sallyport::controlplane
