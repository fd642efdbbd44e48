#include "controlplane/access/reserve_call.h"

#include <atomic>
#include <thread>
#include <utility>

#include "tests/integration/controlplane/access/reserving.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Reserving, "what is done once is not done again, whoever asks and by which tool",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  CHECK(Refused("c2", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
  CHECK(Refused("c2", {.tool = "refund-all", .call = 'x'}) ==
        types::v1::DENIAL_REASON_ALREADY_DONE);
  session_id = Open("other");
  CHECK(Refused("c3", {.call = 'x'}) == types::v1::DENIAL_REASON_ALREADY_DONE);
  CHECK(Passes("c4", {.payment = 'b'}));
}

TEST_CASE_METHOD(Reserving, "what was done once stays done when its rule moves in the document",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  ApplyPolicy("max_duration: 15m",
              "[{deny: {tools: [drop]}}, {allow: {tools: [refund], once: {by: [/payment]}}}]");
  rule = 1;
  CHECK(Refused("c2", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
}

TEST_CASE_METHOD(Reserving, "what was done once under one policy is not done again under another",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  ApplyPolicy("max_duration: 15m", "[{allow: {tools: [drop]}}]", "realm: okta, subjects: [bot]");
  Apply(R"(
kind: Policy
name: house
spec:
  principals: [{realm: okta, subjects: [other]}]
  servers: [wiki]
  rules: [{allow: {tools: ["refund*"], once: {by: [/payment]}}}]
)");
  session_id = Open("other");
  const auto asked = [&](const std::string& call_id, const Refund& refund) {
    ReserveCallRequest request = Asked(call_id, refund);
    request.mutable_once(0)->set_policy("house");
    return Answer(request).denial_reason();
  };
  CHECK(asked("c2", {.tool = "refund-all", .call = 'x'}) == types::v1::DENIAL_REASON_ALREADY_DONE);
  CHECK(asked("c3", {.payment = 'b'}) == types::v1::DENIAL_REASON_UNSPECIFIED);
}

TEST_CASE_METHOD(Reserving,
                 "nobody is asked about a call that would be refused once it is approved",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m",
              "[{require_approval: {tools: [refund], approvers: [\"okta:approvers\"], once: {by: "
              "[/payment]}, limit: {count: /items, per_window: 3}}}]");
  session_id = Open("bot");
  has_limit = true;
  const auto request = [&](const Refund& refund) {
    const ReserveCallRequest reserved = Asked("", refund);
    agent::v1::RequestCallApprovalRequest asked;
    asked.set_session_id(session_id);
    asked.set_method(reserved.method());
    asked.set_target(reserved.target());
    asked.set_arguments(reserved.arguments());
    asked.set_arguments_digest(reserved.call_digest());
    asked.set_call_digest(reserved.call_digest());
    *asked.mutable_judged_by() = reserved.judged_by();
    *asked.mutable_once() = reserved.once();
    *asked.mutable_touched() = reserved.touched();
    return asked;
  };
  const auto ask = [&](const agent::v1::RequestCallApprovalRequest& asked) {
    const auto response = calls->Run(Agent("a1"), asked);
    INFO(response.status());
    REQUIRE(response.ok());
    return *response;
  };
  const std::string id = ask(request({.items = {1, 2}})).approval().id();
  REQUIRE(Approve(id, SignedIn("alice")).ok());
  ReserveCallRequest reserved = Asked("c1", {.items = {1, 2}});
  reserved.set_approval_id(id);
  reserved.set_arguments_digest(reserved.call_digest());
  REQUIRE(Answer(reserved).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_ANSWERED).ok());
  const auto done = ask(request({.items = {1}}));
  CHECK(done.denial_reason() == types::v1::DENIAL_REASON_ALREADY_DONE);
  CHECK_FALSE(done.has_approval());
  CHECK(ask(request({.payment = 'b', .items = {1, 2}})).denial_reason() ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(ask(request({.payment = 'b', .items = {1}})).has_approval());
  // What was judged by other policies is found out when it is to be let through.
  auto other = request({.items = {3}});
  other.mutable_judged_by()->set_version(other.judged_by().version() + 1);
  CHECK(ask(other).has_approval());
}

TEST_CASE_METHOD(Reserving, "the pointers of once stand in any order", "[controlplane][access]") {
  Rules("once: {by: [/payment, /account]}");
  ReserveCallRequest request = Asked("c1", {});
  request.set_arguments(R"({"payment":"a","account":7})");
  agent::v1::OnceEffect& once = *request.mutable_once(0);
  once.clear_by();
  once.add_by("/account");
  once.add_by("/payment");
  CHECK(Answer(request).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
  request.set_call_id("c2");
  CHECK(Answer(request).denial_reason() == types::v1::DENIAL_REASON_ALREADY_DONE);
}

TEST_CASE_METHOD(Reserving, "a lost answer is heard again, and is no second call",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  CHECK(Passes("c1", {}));
  Restart();
  CHECK(Passes("c1", {}));
  CHECK(reserve->Run(Agent("a1"), Asked("c1", {.payment = 'b'})).status().code() ==
        absl::StatusCode::kInvalidArgument);
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_ANSWERED).ok());
  CHECK(Refused("c1", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
}

TEST_CASE_METHOD(Reserving, "of many calls that would do the same once, one passes",
                 "[controlplane][access]") {
  std::atomic<int> passed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, request = Asked("c" + std::to_string(i), {})] {
      const auto response = reserve->Run(Agent("a1"), request);
      passed += response.ok() && response->denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(passed == 1);
}

TEST_CASE_METHOD(Reserving, "a call that was never forwarded holds nothing; one that was does",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_NOT_FORWARDED).ok());
  CHECK(Settle("c1", agent::v1::CALL_OUTCOME_NOT_FORWARDED).ok());
  CHECK(Settle("c1", agent::v1::CALL_OUTCOME_ANSWERED).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(Passes("c2", {}));
  REQUIRE(Settle("c2", agent::v1::CALL_OUTCOME_ANSWERED).ok());
  CHECK(Refused("c3", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
}

TEST_CASE_METHOD(Reserving, "what is done once within a time is done again after it",
                 "[controlplane][access]") {
  Rules("once: {by: [/payment], within: 5m}");
  CHECK(Passes("c1", {}));
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_ANSWERED).ok());
  clock.Advance(absl::Minutes(5) - absl::Seconds(1));
  CHECK(Refused("c2", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
  clock.Advance(absl::Seconds(1));
  CHECK(Passes("c3", {}));
}

TEST_CASE_METHOD(Reserving, "a call of unknown outcome is repeated when a person says so",
                 "[controlplane][access]") {
  Rules("once: {by: [/payment]}", "max_duration: 15m, approval: {approvers: [\"okta:approvers\"]}");
  CHECK(Passes("c1", {}));
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  const ReserveCallResponse refused = Answer(Asked("c2", {}));
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  CHECK(refused.may_be_approved());
  const std::string command = "`sallyport sessions resolve " + session_id + " c1 --outcome done`";
  CHECK_THAT(refused.detail(), Catch::Contains(command));
  // One that would do the same, and is not the same, waits until it is settled.
  const ReserveCallResponse other = Answer(Asked("c3", {.call = 'x'}));
  CHECK(other.denial_reason() == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  CHECK_THAT(other.detail(), Catch::Contains(command));

  agent::v1::RequestCallApprovalRequest ask;
  ask.set_session_id(session_id);
  ask.set_method("tools/call");
  ask.set_target("refund");
  ask.set_arguments_digest(kDigest);
  ask.set_arguments(R"({"payment":"a","items":[1]})");
  CHECK(calls->Run(Agent("a1"), ask)->denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  ask.set_call_digest(Digest('a'));
  const auto asked = calls->Run(Agent("a1"), ask);
  REQUIRE(asked->has_approval());
  REQUIRE(asked->approval().repeats_size() == 1);
  CHECK(asked->approval().repeats(0).call_id() == "c1");
  ReserveCallRequest again = Asked("c2", {});
  again.set_approval_id(asked->approval().id());
  again.set_arguments_digest(kDigest);
  CHECK(Answer(again).denial_reason() == types::v1::DENIAL_REASON_APPROVAL_PENDING);
  REQUIRE(Approve(asked->approval().id(), SignedIn("alice")).ok());
  CHECK(Answer(again).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
  REQUIRE(Settle("c2", agent::v1::CALL_OUTCOME_ANSWERED).ok());
  CHECK(Refused("c4", {}) == types::v1::DENIAL_REASON_ALREADY_DONE);
}

TEST_CASE_METHOD(Reserving, "who said that a call is made again must be enough when it is",
                 "[controlplane][access]") {
  const auto rules = [&](const std::string& approval) {
    ApplyPolicy("max_duration: 15m, approval: {approvers: [\"okta:approvers\"], " + approval + "}",
                "[{allow: {tools: [refund], on_unknown: ask}}]");
  };
  has_once = false;
  rules("count: 1");
  session_id = Open("bot");
  CHECK(Passes("c1", {}));
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  agent::v1::RequestCallApprovalRequest ask;
  ask.set_session_id(session_id);
  ask.set_method("tools/call");
  ask.set_target("refund");
  ask.set_arguments_digest(kDigest);
  ask.set_call_digest(Digest('a'));
  ask.set_arguments(R"({"payment":"a","items":[1]})");
  const auto asked = calls->Run(Agent("a1"), ask);
  REQUIRE(asked->has_approval());
  REQUIRE(Approve(asked->approval().id(), SignedIn("alice")).ok());
  rules("count: 2");
  ReserveCallRequest again = Asked("c2", {});
  again.set_approval_id(asked->approval().id());
  again.set_arguments_digest(kDigest);
  CHECK(Answer(again).denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  rules("count: 1");
  JudgeNow(again);
  CHECK(Answer(again).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
}

TEST_CASE_METHOD(Reserving, "an approval lets no call through that may repeat one it does not name",
                 "[controlplane][access]") {
  has_once = false;
  Rules("on_unknown: allow");
  const int in_doubt = GENERATE(15, 16, 17);
  const auto lose = [&](const std::string& id) {
    REQUIRE(Settle(id, agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  };
  CHECK(Passes("late", {}));
  for (int i = 0; i < in_doubt; ++i) {
    CHECK(Passes("lost" + std::to_string(i), {}));
    lose("lost" + std::to_string(i));
  }
  ApplyPolicy("max_duration: 15m",
              "[{require_approval: {tools: [refund], approvers: [\"okta:approvers\"], on_unknown: "
              "ask}}]");
  agent::v1::RequestCallApprovalRequest ask;
  ask.set_session_id(session_id);
  ask.set_method("tools/call");
  ask.set_target("refund");
  ask.set_arguments_digest(kDigest);
  ask.set_call_digest(Digest('a'));
  ask.set_arguments(R"({"payment":"a","items":[1]})");
  const auto asked = calls->Run(Agent("a1"), ask);
  if (in_doubt > 16) {
    CHECK(asked->denial_reason() == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
    CHECK_THAT(asked->detail(), Catch::Contains("lost0 --outcome done`"));
    return;
  }
  REQUIRE(asked->has_approval());
  CHECK(asked->approval().repeats_size() == in_doubt);
  REQUIRE(Approve(asked->approval().id(), SignedIn("alice")).ok());
  ReserveCallRequest again = Asked("c2", {});
  again.set_approval_id(asked->approval().id());
  again.set_arguments_digest(kDigest);
  const bool one_more = GENERATE(false, true);
  if (one_more) lose("late");
  CHECK(Answer(again).denial_reason() == (one_more ? types::v1::DENIAL_REASON_OUTCOME_UNKNOWN
                                                   : types::v1::DENIAL_REASON_UNSPECIFIED));
}

TEST_CASE_METHOD(Reserving, "on_unknown lets a call be repeated, or refuses it",
                 "[controlplane][access]") {
  const bool is_allowed = GENERATE(true, false);
  Rules(std::string("on_unknown: ") + (is_allowed ? "allow" : "deny"));
  has_once = false;
  CHECK(Passes("c1", {}));
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  const ReserveCallResponse second = Answer(Asked("c2", {}));
  CHECK(second.denial_reason() == (is_allowed ? types::v1::DENIAL_REASON_UNSPECIFIED
                                              : types::v1::DENIAL_REASON_OUTCOME_UNKNOWN));
  CHECK_FALSE(second.may_be_approved());
  CHECK(Passes("c3", {.payment = 'b'}));
}

TEST_CASE_METHOD(Reserving, "a call that was under way beside one in doubt says nothing about it",
                 "[controlplane][access]") {
  Rules("on_unknown: deny");
  has_once = false;
  CHECK(Passes("lost", {}));
  CHECK(Passes("beside", {}));
  SECTION("it was answered first") {
    REQUIRE(Settle("beside", agent::v1::CALL_OUTCOME_ANSWERED).ok());
    REQUIRE(Settle("lost", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  }
  SECTION("it was answered afterwards") {
    REQUIRE(Settle("lost", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
    REQUIRE(Settle("beside", agent::v1::CALL_OUTCOME_ANSWERED).ok());
  }
  SECTION("it was in doubt as well, and somebody knows that it was done") {
    REQUIRE(Settle("lost", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
    REQUIRE(Settle("beside", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
    REQUIRE(Resolve("beside", true, admin).ok());
  }
  const ReserveCallResponse again = Answer(Asked("again", {}));
  CHECK(again.denial_reason() == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  CHECK_THAT(again.detail(), Catch::Contains("/lost was done"));
  REQUIRE(Resolve("lost", true, admin).ok());
  CHECK(Passes("again", {}));
}

TEST_CASE_METHOD(Reserving, "what an agent that is away has under way is in doubt for all others",
                 "[controlplane][access]") {
  Rules("on_unknown: deny");
  has_once = false;
  CHECK(Passes("c1", {}));
  const std::string first =
      std::exchange(session_id, ByAgent(BotToken("other"), "wiki", "a2").session().id());
  CHECK(Passes("beside", {.agent = "a2"}));
  away.insert("a1");
  const ReserveCallResponse refused = Answer(Asked("c2", {.agent = "a2"}), "a2");
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  CHECK_THAT(refused.detail(), Catch::Contains(first + " c1 --outcome done`") &&
                                   Catch::Contains("once its agent is back"));
  CHECK(Passes("c3", {.payment = 'b', .agent = "a2"}));
  SECTION("until it is back") {
    away.clear();
    CHECK(Passes("c2", {.agent = "a2"}));
  }
  SECTION("and not for itself") {
    session_id = first;
    CHECK(Passes("c4", {}));
  }
}

TEST_CASE_METHOD(Reserving, "what was let through as a repetition takes the doubt once it is done",
                 "[controlplane][access]") {
  has_once = false;
  Rules("on_unknown: allow");
  CHECK(Passes("lost", {}));
  REQUIRE(Settle("lost", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  CHECK(Passes("repetition", {}));
  ApplyPolicy("max_duration: 15m", "[{allow: {tools: [refund], on_unknown: deny}}]");
  CHECK(Refused("again", {}) == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  SECTION("it was answered") {
    REQUIRE(Settle("repetition", agent::v1::CALL_OUTCOME_ANSWERED).ok());
    CHECK(Passes("again", {}));
  }
  SECTION("it never went out") {
    REQUIRE(Settle("repetition", agent::v1::CALL_OUTCOME_NOT_FORWARDED).ok());
    CHECK(Refused("again", {}) == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  }
}

TEST_CASE_METHOD(Reserving, "an unknown outcome of a call that nobody reserved is kept too",
                 "[controlplane][access]") {
  Rules("on_unknown: deny");
  has_once = false;
  agent::v1::SettleCallRequest request;
  request.set_session_id(session_id);
  request.set_call_id("c1");
  request.set_outcome(agent::v1::CALL_OUTCOME_ANSWERED);
  CHECK(settle->Run(Agent("a1"), request).status().code() == absl::StatusCode::kNotFound);
  request.set_outcome(agent::v1::CALL_OUTCOME_UNKNOWN);
  CHECK(settle->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
  request.set_method("tools/call");
  request.set_target("refund");
  request.set_call_digest(Digest('a'));
  CHECK(settle->Run(Agent("a2"), request).status().code() == absl::StatusCode::kNotFound);
  REQUIRE(settle->Run(Agent("a1"), request).ok());
  CHECK(Refused("c2", {}) == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
}

TEST_CASE_METHOD(Reserving, "an admin settles what is in doubt, on the record",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  CHECK(Resolve("c1", true, admin).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  CHECK(ReasonOf(Resolve("c1", true, SignedIn("alice"))) == types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(Resolve("c9", true, admin).code() == absl::StatusCode::kNotFound);
  admin::v1::ResolveCallRequest elsewhere;
  elsewhere.set_session_id("ses_nowhere");
  elsewhere.set_call_id("c9");
  elsewhere.set_was_done(true);
  CHECK(settle->Run(admin, elsewhere).status() ==
        absl::NotFoundError("there is no session ses_nowhere"));
  const bool was_done = GENERATE(true, false);
  REQUIRE(Resolve("c1", was_done, admin).ok());
  CHECK(LastAction() == "call.resolve");
  CHECK(audit_log::List(*Read(), 0, 1000)->back().detail ==
        (was_done ? "done: looked it up" : "not done: looked it up"));
  admin::v1::GetSessionRequest get;
  get.set_id(session_id);
  const auto shown = read_sessions->Run(admin, get);
  CHECK(shown->session().unsettled_calls().empty());
  REQUIRE(shown->resolved_calls_size() == 1);
  CHECK(shown->resolved_calls(0).call_id() == "c1");
  CHECK(shown->resolved_calls(0).state() == StateOf("c1"));
  CHECK(shown->resolved_calls(0).resolved_by() == ActorName(admin));
  CHECK(shown->resolved_calls(0).resolution() == "looked it up");
  CHECK(Resolve("c1", !was_done, admin).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(StateOf("c1") == (was_done ? types::v1::CALL_STATE_DONE : types::v1::CALL_STATE_RELEASED));
  CHECK(Refused("c2", {}) ==
        (was_done ? types::v1::DENIAL_REASON_ALREADY_DONE : types::v1::DENIAL_REASON_UNSPECIFIED));
}

TEST_CASE_METHOD(Reserving, "an admin does not settle a call of his own",
                 "[controlplane][access]") {
  session_id = Open("carol");
  CHECK(Passes("c1", {}));
  REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_UNKNOWN).ok());
  const auto as_admin = [&](const std::string& subject) {
    PersonCaller person = *SignedIn(subject).person();
    person.is_admin = true;
    return Caller(person, "10.0.0.1");
  };
  CHECK(ReasonOf(Resolve("c1", false, as_admin("carol"))) ==
        types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  CHECK(Resolve("c1", false, as_admin("dave")).ok());
}

TEST_CASE_METHOD(Reserving, "a call that its session's end has overtaken is in doubt",
                 "[controlplane][access]") {
  CHECK(Passes("c1", {}));
  const std::string ended = session_id;
  REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 1).ok());
  CHECK(Refused("c2", {}) == types::v1::DENIAL_REASON_SESSION_ENDED);
  admin::v1::GetSessionRequest get;
  get.set_id(ended);
  const auto shown = read_sessions->Run(admin, get);
  REQUIRE(shown->session().unsettled_calls_size() == 1);
  CHECK(shown->session().unsettled_calls(0).call_id() == "c1");
  const auto listed = read_sessions->Run(admin, admin::v1::ListSessionsRequest());
  REQUIRE(listed->items(0).unsettled_calls_size() == 1);
  CHECK(listed->items(0).unsettled_calls(0).call_id() == "c1");
  session_id = Open("bot");
  CHECK(Refused("c3", {}) == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN);
  session_id = ended;
  SECTION("its agent knows better") {
    REQUIRE(Settle("c1", agent::v1::CALL_OUTCOME_NOT_FORWARDED).ok());
  }
  SECTION("an admin says") { REQUIRE(Resolve("c1", false, admin).ok()); }
  session_id = Open("bot");
  CHECK(Passes("c4", {}));
}

TEST_CASE_METHOD(Reserving, "objects are counted by principal and server, whatever the session",
                 "[controlplane][access]") {
  Rules("limit: {count: /items, per_call: 3, per_window: 5, window: 1h}");
  has_once = false;
  has_limit = true;
  CHECK(Refused("c1", {.payment = 'a', .items = {1, 2, 3, 4}}) ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(Passes("c1", {.payment = 'a', .items = {1, 2, 3}}));
  CHECK(Refused("c2", {.payment = 'b', .items = {1, 2, 3}}) ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 1).ok());
  session_id = Open("bot");
  CHECK(Refused("c3", {.payment = 'c', .items = {1, 2, 3}}) ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(Passes("c4", {.payment = 'd', .items = {1, 2}, .tool = "refund-all"}));
  CHECK(Refused("c5", {.payment = 'e'}) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  REQUIRE(Settle("c4", agent::v1::CALL_OUTCOME_NOT_FORWARDED).ok());
  CHECK(Passes("c6", {.payment = 'f'}));
  session_id = Open("other");
  CHECK(Passes("c7", {.payment = 'g', .items = {1, 2, 3}}));
  clock.Advance(absl::Hours(1));
  session_id = Open("bot");
  CHECK(Passes("c8", {.payment = 'h', .items = {1, 2, 3}}));
}

TEST_CASE_METHOD(Reserving, "another policy's shorter sessions do not shorten a limit's window",
                 "[controlplane][access]") {
  const std::string terms = GENERATE("max_duration: 2h", "open: connect");
  has_once = false;
  has_limit = true;
  Apply(R"(
kind: Policy
name: short
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  session: {max_duration: 10s}
  rules: [{allow: {tools: [echo]}}]
)");
  Rules("limit: {count: /items, per_window: 3}", terms);
  CHECK(Passes("c1", {.items = {1, 2, 3}}));
  clock.Advance(absl::Minutes(59));
  session_id = Open("bot");
  CHECK(Refused("c2", {.payment = 'b'}) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  clock.Advance(absl::Minutes(62));
  session_id = Open("bot");
  CHECK(Passes("c3", {.payment = 'c', .items = {1, 2, 3}}));
}

TEST_CASE_METHOD(Reserving, "a call that was judged by other policies is judged again first",
                 "[controlplane][access]") {
  ReserveCallRequest request = Asked("c1", {});
  ApplyPolicy("max_duration: 15m", "[{allow: {tools: [refund], once: {by: [/payment]}}}]");
  const ReserveCallResponse refused = Answer(request);
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  CHECK(refused.in_force().version() == meta::CurrentSnapshot(*Read())->version);
  *request.mutable_judged_by() = refused.in_force();
  CHECK(Answer(request).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
}

TEST_CASE_METHOD(Reserving, "a snapshot with the same documents judges as the one before it did",
                 "[controlplane][access]") {
  ReserveCallRequest request = Asked("c1", {});
  {
    const auto t = *control->Write();
    REQUIRE(meta::BumpSnapshot(*t).ok());
    REQUIRE(t->Commit().ok());
  }
  SECTION("a call judged by the one before passes") {
    CHECK(Answer(request).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
  }
  SECTION("one judged by a snapshot that does not exist is refused") {
    JudgeNow(request);
    request.mutable_judged_by()->set_version(request.judged_by().version() + 1);
    CHECK(Answer(request).denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  }
}

TEST_CASE_METHOD(Reserving, "only the rules whose conditions hold count and reserve",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m", R"([
    {allow: {tools: [refund], when: [{path: /payment, equals: a}], limit: {count: /items, per_window: 100}}},
    {allow: {tools: [refund], when: [{path: /payment, equals: b}], limit: {count: /items, per_window: 1}}}])");
  session_id = Open("bot");
  has_once = false;
  has_limit = true;
  CHECK(Passes("c1", {.items = {1, 2, 3}}));
  rule = 1;
  CHECK(Refused("c2", {.payment = 'b', .items = {1, 2}}) ==
        types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  // An agent cannot choose: of what the control plane can read itself, nothing is left out.
  CHECK(Refused("c3", {.items = {1}}) == types::v1::DENIAL_REASON_POLICY_CHANGED);
}

TEST_CASE_METHOD(Reserving, "objects count whichever rule lets their call through",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m", R"([
    {allow: {tools: [refund], when: [{path: /payment, equals: a}], limit: {count: /items, per_window: 3}}},
    {allow: {tools: [refund], when: [{path: /payment, equals: b}]}}])");
  session_id = Open("bot");
  has_once = false;
  has_limit = true;
  ReserveCallRequest other = Asked("c1", {.payment = 'b', .items = {1, 2, 3, 4, 5}});
  other.mutable_touched(0)->clear_rules();
  CHECK(Answer(other).denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(Refused("c2", {.items = {1}}) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  // Nor can an agent leave them out, or that they are limited.
  other.set_call_id("c3");
  other.clear_touched();
  CHECK(Answer(other).denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  ReserveCallRequest limited = Asked("c4", {.items = {1}});
  limited.mutable_touched(0)->clear_rules();
  CHECK(Answer(limited).denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
}

TEST_CASE_METHOD(Reserving, "what the agent names must be what the policies ask for",
                 "[controlplane][access]") {
  ReserveCallRequest request = Asked("c1", {});
  SECTION("it leaves a `once` out") { request.clear_once(); }
  SECTION("it names other arguments") { request.mutable_once(0)->set_by(0, "/other"); }
  SECTION("it names no rule") { request.mutable_once(0)->clear_rules(); }
  SECTION("it names a rule that is not there") { request.mutable_once(0)->set_rules(0, 7); }
  SECTION("it names a rule without a `once`") { request.mutable_once(0)->set_rules(0, 1); }
  SECTION("it names another policy") { request.mutable_once(0)->set_policy("none"); }
  SECTION("it names a limit that nobody set") {
    request.add_touched()->set_policy("bots");
    request.mutable_touched(0)->set_count("/items");
  }
  SECTION("they deny the call") {
    request.set_target("drop");
    request.clear_once();
  }
  CHECK(Answer(request).denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED);
  CHECK_FALSE(calls::Find(*Read(), session_id, "c1", clock.Now())->has_value());
}

TEST_CASE_METHOD(Reserving, "a reservation that says too little is malformed",
                 "[controlplane][access]") {
  ReserveCallRequest request = Asked("c1", {});
  SECTION("no call") { request.clear_call_id(); }
  SECTION("a long one") { request.set_call_id(std::string(129, 'c')); }
  SECTION("no policies") { request.clear_judged_by(); }
  SECTION("no digest") { request.set_call_digest("abc"); }
  SECTION("no method") { request.clear_method(); }
  SECTION("no value") { request.mutable_once(0)->set_digest("plain"); }
  CHECK(reserve->Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sallyport::controlplane
