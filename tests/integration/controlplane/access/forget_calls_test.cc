#include "controlplane/access/forget_calls.h"

#include "tests/integration/controlplane/access/reserving.h"

namespace sallyport::controlplane {
namespace {

struct Forgetting : Reserving {
  Forgetting() { Rules("once: {by: [/payment], within: 24h}"); }

  void Finish(const std::string& call_id) {
    REQUIRE(Settle(call_id, agent::v1::CALL_OUTCOME_ANSWERED).ok());
    EndTheSession();
  }
  void EndTheSession() { REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 1).ok()); }
  // As if all that was let through so far lay that much further back.
  void Age(absl::Duration by) {
    const auto t = Write();
    for (const char* age : {"update calls set reserved_at = reserved_at - ?",
                            "update object_counts set reserved_at = reserved_at - ?"})
      REQUIRE(t->Prepare(age).Int(absl::ToInt64Microseconds(by)).Run().ok());
    REQUIRE(t->Commit().ok());
  }
  void Forget() { REQUIRE(ForgetCalls(*control, clock.Now()).ok()); }
  bool IsKnown(const std::string& call_id, const std::string& session = "") {
    return calls::Find(*Read(), session.empty() ? session_id : session, call_id, clock.Now())
        ->has_value();
  }
  int64_t RowsOf(const char* count) {
    const auto t = Read();
    Statement statement = t->Prepare(count);
    REQUIRE(statement.Step().ok());
    return statement.integer(0);
  }
};

TEST_CASE_METHOD(Forgetting, "a settled call is forgotten when no rule could ask for it",
                 "[controlplane][access]") {
  has_limit = true;
  Rules("once: {by: [/payment], within: 24h}, limit: {count: /items, per_window: 5, window: 1h}");
  CHECK(Passes("c1", {}));
  Finish("c1");
  Age(kKeepSettledCalls);
  Forget();
  CHECK(IsKnown("c1"));
  Age(absl::Seconds(1));
  Forget();
  CHECK_FALSE(IsKnown("c1"));
  CHECK(RowsOf("select count(*) from once_effects") == 0);
  CHECK(RowsOf("select count(*) from object_counts") == 0);
}

TEST_CASE_METHOD(Forgetting, "what is done once and never again is remembered for good",
                 "[controlplane][access]") {
  Rules("once: {by: [/payment]}");
  CHECK(Passes("done", {}));
  CHECK(Passes("released", {.payment = 'b'}));
  REQUIRE(Settle("released", agent::v1::CALL_OUTCOME_NOT_FORWARDED).ok());
  Finish("done");
  Age(10 * kKeepSettledCalls);
  Forget();
  CHECK(IsKnown("done"));
  CHECK_FALSE(IsKnown("released"));
  session_id = Open("bot");
  CHECK(Refused("again", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
  CHECK(Passes("other", {.payment = 'b'}));
}

TEST_CASE_METHOD(Forgetting, "a call is kept while nobody knows what it did",
                 "[controlplane][access]") {
  CHECK(Passes("reserved", {}));
  CHECK(Passes("unknown", {.payment = 'b'}));
  REQUIRE(Settle("unknown", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  EndTheSession();
  Age(2 * kKeepSettledCalls);
  Forget();
  CHECK(IsKnown("reserved"));
  CHECK(IsKnown("unknown"));
  REQUIRE(Resolve("unknown", true, admin).ok());
  Forget();
  CHECK_FALSE(IsKnown("unknown"));
}

TEST_CASE_METHOD(Forgetting, "what takes the doubt from an earlier call is kept as long as it",
                 "[controlplane][access]") {
  has_once = false;
  Rules("on_unknown: allow");
  agent::v1::SettleCallRequest lost;
  lost.set_session_id(session_id);
  lost.set_call_id("lost");
  lost.set_outcome(agent::v1::CALL_OUTCOME_UNKNOWN);
  lost.set_method("tools/call");
  lost.set_target("refund");
  lost.set_call_digest(Digest('a'));
  REQUIRE(settle->Run(Agent("a1"), lost).ok());
  const std::string first = session_id;
  clock.Advance(absl::Seconds(1));
  CHECK(Passes("done", {}));
  Finish("done");
  Age(2 * kKeepSettledCalls);
  Forget();
  CHECK(IsKnown("done"));
  Rules("on_unknown: deny");
  CHECK(Passes("again", {}));
  session_id = first;
  REQUIRE(Resolve("lost", false, admin).ok());
  Forget();
  CHECK_FALSE(IsKnown("lost", first));
  CHECK_FALSE(IsKnown("done", first));
}

TEST_CASE_METHOD(Forgetting, "a sweep with nothing to forget writes nothing",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  Finish("c1");
  const uint64_t cursor = control->changes().Now();
  Forget();
  CHECK(control->changes().Since(cursor).items.empty());
  CHECK(IsKnown("c1"));
}

}  // namespace
}  // namespace sallyport::controlplane
