#include "controlplane/policies/simulate_policy.h"

#include "controlplane/store/audit_log.h"
#include "tests/integration/controlplane/policies/recorded.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::SimulatedCall;
using Catch::Matchers::Contains;
using Outcome = RecordedCall::Outcome;

std::string Rules(const std::string& rules) { return "  rules:\n" + rules; }

struct Simulating : Fixture {
  Recorded recorded;
  SimulatePolicy simulate{
      *control, clock, {.all = {"okta"}, .with_people = {"okta"}}, recorded.Source()};
  std::vector<SimulatedCall> calls;
  admin::v1::SimulationSummary summary;

  Simulating() { recorded.AddSession("ses_1", clock.Now()); }

  admin::v1::SimulatePolicyRequest Request(const std::string& yaml, bool alone = true) {
    admin::v1::SimulatePolicyRequest request;
    request.add_files()->set_name("new.yaml");
    request.mutable_files(0)->set_text(yaml);
    request.set_alone(alone);
    *request.mutable_calls()->mutable_since() = ToProto(clock.Now() - absl::Hours(1));
    return request;
  }

  absl::Status Run(const admin::v1::SimulatePolicyRequest& request,
                   const Caller& caller = kAuditor) {
    calls.clear();
    return simulate.Run(caller, request, [&](const admin::v1::SimulatePolicyResponse& response) {
      if (response.has_call()) calls.push_back(response.call());
      if (response.has_summary()) summary = response.summary();
      return true;
    });
  }
  absl::Status Run(const std::string& yaml, bool alone = true) { return Run(Request(yaml, alone)); }

  // `deploy: allow -> deny policy_denied`, or `deploy: undecided`.
  std::string Only() {
    if (calls.size() != 1) return "calls: " + std::to_string(calls.size());
    const SimulatedCall& call = calls[0];
    if (!call.has_would_be()) return call.target() + ": undecided";
    return call.target() + ": " + call.was().decision() + " -> " + call.would_be().decision() +
           " " + std::string(ReasonName(call.would_be().reason()));
  }
};

TEST_CASE_METHOD(Simulating, "what would be decided as it was is counted and not listed",
                 "[policies][simulate]") {
  recorded.AddTool("deploy");
  REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy]}"))).ok());
  CHECK(calls.empty());
  CHECK(summary.calls() == 2);  // the opening, too
  CHECK(summary.unchanged() == 2);
  CHECK(summary.sessions() == 1);
}

TEST_CASE_METHOD(Simulating, "each way in which a decision can change is told with its reason",
                 "[policies][simulate]") {
  RecordedCall& call = recorded.AddTool("deploy", R"({"env":"production"})");
  SECTION("what passed would be denied") {
    REQUIRE(Run(APolicy("p", Rules("    - deny: {tools: [deploy]}"))).ok());
    CHECK(Only() == "deploy: allow -> deny policy_denied");
    CHECK(calls[0].would_be().policy() == "p");
    CHECK(calls[0].principal() == "service:okta:0oa1");
    CHECK(calls[0].record() == 1);
  }
  SECTION("what passed would fail a condition") {
    REQUIRE(
        Run(APolicy("p", Rules("    - allow: {tools: [deploy], when: [{path: /env, in: [dev]}]}")))
            .ok());
    CHECK(Only() == "deploy: allow -> deny condition_failed");
  }
  SECTION("what passed would need a person") {
    REQUIRE(Run(APolicy("p", Rules("    - require_approval: {tools: [deploy], approvers: "
                                   "[\"okta:leads\"]}")))
                .ok());
    CHECK(Only() == "deploy: allow -> require_approval ");
    CHECK(calls[0].would_be().approvers(0) == "okta:leads");
  }
  SECTION("what was refused would pass") {
    call.outcome = Outcome::kRefused;
    call.reason = types::v1::DENIAL_REASON_POLICY_DENIED;
    call.arguments = std::nullopt;
    REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy]}"))).ok());
    CHECK(Only() == "deploy: deny -> allow ");
  }
  SECTION("what a person was asked for would pass") {
    call.outcome = Outcome::kApproved;
    REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy]}"))).ok());
    CHECK(Only() == "deploy: require_approval -> allow ");
  }
}

TEST_CASE_METHOD(Simulating, "a principal that no policy names any more has nothing",
                 "[policies][simulate]") {
  recorded.AddTool("deploy");
  REQUIRE(Run("kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, client_ids: [other]}]\n"
              "  servers: [wiki]\n")
              .ok());
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].method().empty());  // the opening
  CHECK(calls[1].would_be().reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE_METHOD(Simulating, "an opening that would need a person is told",
                 "[policies][simulate]") {
  REQUIRE(
      Run(APolicy("p", "  session: {approval: {approvers: [\"okta:leads\"]}}\n  rules: []")).ok());
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].record() == 0);
  CHECK(calls[0].would_be().decision() == "require_approval");
}

TEST_CASE_METHOD(Simulating, "documents take the place of those in force of their names",
                 "[policies][simulate]") {
  REQUIRE(Apply(APolicy("p", Rules("    - allow: {tools: [deploy]}")) + "---\n" +
                APolicy("q", Rules("    - deny: {tools: [drop]}")))
              .ok());
  REQUIRE(Apply("kind: Lock\nname: shut\nspec: {}\n").ok());  // of now, not of then
  recorded.AddTool("deploy");
  recorded.AddTool("drop");
  REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy, drop]}")), /*alone=*/false).ok());
  CHECK(Only() == "drop: allow -> deny policy_denied");
  CHECK(calls[0].would_be().policy() == "q");
  REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy, drop]}")), /*alone=*/true).ok());
  CHECK(calls.empty());
  CHECK(Get(types::v1::DOCUMENT_KIND_POLICY, "p")->version() == 1);  // nothing was applied
}

TEST_CASE_METHOD(Simulating, "what a recording does not show is never guessed",
                 "[policies][simulate]") {
  RecordedCall& call = recorded.AddTool("deploy", R"({"env":"[REDACTED:x]","region":"eu"})");
  call.masked = {"/env"};
  const std::string by_env = "    - allow: {tools: [deploy], when: [{path: /env, in: [dev]}]}\n";
  SECTION("a condition reads what was masked") {
    REQUIRE(Run(APolicy("p", Rules(by_env))).ok());
    CHECK(Only() == "deploy: undecided");
    CHECK(calls[0].undecided() == "rules[0] of p reads /env, which was masked");
    CHECK(summary.undecided() == 1);
  }
  SECTION("... also above it or below it") {
    call.masked = {GENERATE(as<std::string>(), "", "/env/name")};
    REQUIRE(Run(APolicy("p", Rules(by_env))).ok());
    CHECK(Only() == "deploy: undecided");
  }
  SECTION("... but for a longer name that begins alike") {
    call.masked = {"/environment"};
    REQUIRE(Run(APolicy("p", Rules(by_env))).ok());
    CHECK(Only() == "deploy: allow -> deny condition_failed");
  }
  SECTION("the condition reads something else") {
    REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy], when: [{path: /region, in: "
                                   "[eu]}]}")))
                .ok());
    CHECK(calls.empty());
  }
  SECTION("the answer is the same either way: a deny that reads nothing") {
    REQUIRE(Run(APolicy("p", Rules(by_env + "    - deny: {tools: [deploy]}"))).ok());
    CHECK(Only() == "deploy: allow -> deny policy_denied");
  }
  SECTION("the answer is the same either way: an allow that reads nothing") {
    REQUIRE(Run(APolicy("p", Rules(by_env + "    - allow: {tools: [deploy]}"))).ok());
    CHECK(calls.empty());
  }
  SECTION("one condition that fails settles a rule, whatever the masked one says") {
    REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy], when: [{path: /env, in: [dev]}, "
                                   "{path: /region, in: [us]}]}")))
                .ok());
    CHECK(Only() == "deploy: allow -> deny condition_failed");
  }
  SECTION("nothing was recorded of the arguments") {
    call.arguments = std::nullopt;
    call.masked.clear();
    REQUIRE(Run(APolicy("p", Rules(by_env))).ok());
    CHECK(calls[0].undecided() == "rules[0] of p reads arguments, which were not recorded");
    REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [deploy]}"))).ok());
    CHECK(calls.empty());
  }
}

TEST_CASE_METHOD(Simulating, "what a call named is not guessed where it was masked",
                 "[policies][simulate]") {
  RecordedCall& call = recorded.Add({.method = "resources/read",
                                     .target = "file:///public/[REDACTED:aws]",
                                     .is_target_hidden = true});
  const auto with = [&](const std::string& rules) {
    REQUIRE(Run(APolicy("p", Rules(rules))).ok());
    return calls.empty() ? "unchanged" : Only();
  };
  const std::string all = "    - allow: {resources: [\"**\"]}\n";
  CHECK(with(all) == "unchanged");
  CHECK(with(all + "    - deny: {resources: [\"file:///public/AKIA*\"]}") ==
        call.target + ": undecided");
  CHECK(calls[0].undecided() == "rules[1] of p: what it names was masked or not recorded");
  CHECK(with("    - allow: {resources: [\"file:///public/[REDACTED:aws]\"]}") ==
        call.target + ": undecided");
  CHECK(with(all + "    - allow: {resources: [\"file:///other/*\"]}") == "unchanged");
  CHECK(with(all + "    - require_approval: {resources: [\"db://**\"], approvers: "
                   "[\"okta:leads\"]}") == call.target + ": undecided");
  CHECK(with("    - deny: {methods: [\"*\"]}\n" + all) ==
        call.target + ": allow -> deny policy_denied");
  CHECK(with("    - deny: {resources: [\"**\"]}\n    - allow: {resources: [\"a:b\"]}") ==
        call.target + ": allow -> deny policy_denied");
  CHECK(with("    - allow: {prompts: [x]}") == call.target + ": allow -> deny policy_denied");
  SECTION("nor what was refused, which may have no meaning") {
    call.outcome = Outcome::kRefused;
    CHECK(with("    - allow: {prompts: [x]}") == "unchanged");
    CHECK(with(all) == call.target + ": undecided");
  }
  SECTION("nor a tool, whose rules have conditions") {
    call.method = "tools/call";
    CHECK(with("    - allow: {tools: [\"d*\"]}") == call.target + ": undecided");
    CHECK(with("    - allow: {tools: [\"*\"]}") == "unchanged");
  }
  SECTION("nor the template of a completion") {
    call.method = "completion/complete";
    call.ref_is_resource = true;
    const std::string methods = "    - allow: {methods: [\"completion/*\"]}\n";
    CHECK(with(methods + all) == "unchanged");
    CHECK(with(methods + "    - allow: {resources: [\"file:///**\"]}") ==
          call.target + ": undecided");
  }
  SECTION("nor the URIs of a stream, which goes by its method all the same") {
    call.method = "subscriptions/listen";
    call.target = "";
    const std::string methods = "    - allow: {methods: [\"subscriptions/*\"]}\n";
    CHECK(with(methods + all) == "unchanged");
    CHECK(with(methods) == ": undecided");
    CHECK(with(all) == ": allow -> deny method_unknown");
  }
}

struct SimulatingApproval : Simulating {
  // Of a session of its own, by one of okta:leads.
  void Ask(const std::string& approval_id) {
    recorded.Add({.method = "tools/call",
                  .target = "delete",
                  .outcome = Outcome::kApproved,
                  .approval_id = approval_id});
  }
  std::string With(const std::string& asked) {
    REQUIRE(
        Run(APolicy("p", Rules("    - require_approval: {tools: [delete], " + asked + "}"))).ok());
    return calls.empty() ? "unchanged" : Only();
  }
};

TEST_CASE_METHOD(SimulatingApproval, "asking others, or more of them, is another decision",
                 "[policies][simulate]") {
  Ask(AddApproval(*control, clock.Now(), "okta:leads"));
  CHECK(With("approvers: [\"okta:leads\"], count: 2") == "unchanged");
  CHECK(With("approvers: [\"okta:leads\"], count: 3") ==
        "delete: require_approval -> require_approval ");
  CHECK(calls[0].was().count() == 2);
  CHECK(calls[0].would_be().count() == 3);
  CHECK(With("approvers: [\"okta:admins\"], count: 2") ==
        "delete: require_approval -> require_approval ");
  CHECK(calls[0].was().approvers(0) == "okta:leads");
  CHECK(calls[0].would_be().approvers(0) == "okta:admins");
}

TEST_CASE_METHOD(SimulatingApproval, "who was asked is not guessed either",
                 "[policies][simulate]") {
  Ask("apr_gone");
  CHECK(With("approvers: [\"okta:leads\"]") == "delete: undecided");
  CHECK(calls[0].undecided() == "who was asked at the time is not known");
  // Whoever it was, it is who would be asked.
  const std::string rule = "    - require_approval: {tools: [delete], approvers: [\"okta:leads\"]}";
  REQUIRE(Apply(APolicy("p", Rules(rule))).ok());
  CHECK(With("approvers: [\"okta:leads\"]") == "unchanged");
}

TEST_CASE_METHOD(SimulatingApproval, "whom a session's terms ask is part of what is the same",
                 "[policies][simulate]") {
  const auto terms = [](const std::string& approver) {
    return APolicy("p", "  session: {approval: {approvers: [\"okta:" + approver + "\"]}}\n" +
                            Rules("    - require_approval: {tools: [delete]}"));
  };
  REQUIRE(Apply(terms("leads")).ok());
  Ask("apr_gone");
  REQUIRE(Run(terms("leads")).ok());
  CHECK(summary.undecided() == 0);
  REQUIRE(Run(terms("admins")).ok());
  CHECK(summary.undecided() == 1);
}

struct SimulatingRefusal : Simulating {
  const std::string by_env =
      "    - require_approval: {tools: [deploy], approvers: [\"okta:leads\"], when: [{path: /env, "
      "in: [prod]}]}\n";
  const std::string more = "    - allow: {tools: [other]}\n";

  SimulatingRefusal() { REQUIRE(Apply(APolicy("mod", Rules(by_env))).ok()); }

  // In a session of its own, which lasts twelve minutes from now.
  void Refuse() {
    recorded.AddSession("ses_2", clock.Now());
    recorded.Add({.at = clock.Now() + absl::Minutes(1),
                  .method = "tools/call",
                  .target = "deploy",
                  .arguments = std::nullopt,
                  .outcome = Outcome::kAsked,
                  .reason = types::v1::DENIAL_REASON_APPROVAL_DENIED});
  }
  // What becomes of it.
  std::string With(const std::string& yaml) {
    REQUIRE(Run(yaml, /*alone=*/false).ok());
    return calls.empty() ? "unchanged" : Only();
  }
};

TEST_CASE_METHOD(SimulatingRefusal, "a call that met the same rules is unchanged, whatever it said",
                 "[policies][simulate]") {
  Refuse();
  CHECK(With(APolicy("bot", Rules(more), "okta", "[other]")) == "unchanged");
  CHECK(With(APolicy("mod", Rules(more + by_env))) == "unchanged");
  CHECK(With(APolicy("mod", "  session: {max_duration: 1h}\n" + Rules(by_env))) == "unchanged");
  CHECK(summary.undecided() == 0);
}

TEST_CASE_METHOD(SimulatingRefusal, "a call that met other rules is still not guessed",
                 "[policies][simulate]") {
  SECTION("they would be others") {
    Refuse();
    CHECK(With(APolicy("mod", Rules("    - require_approval: {tools: [\"*\"], approvers: "
                                    "[\"okta:leads\"], when: [{path: /env, in: [dev]}]}\n"))) ==
          "deploy: undecided");
  }
  SECTION("there would be one more") {
    Refuse();
    CHECK(With(APolicy("bot", Rules("    - allow: {tools: [\"de*\"], when: [{path: /env, in: "
                                    "[dev]}]}\n"))) == "deploy: undecided");
  }
  SECTION("it is of a policy that came later") {
    REQUIRE(Delete(types::v1::DOCUMENT_KIND_POLICY, "mod").ok());
    clock.Advance(absl::Minutes(1));
    Refuse();
    clock.Advance(absl::Hours(1));
    REQUIRE(Apply(APolicy("mod", Rules(by_env))).ok());
    CHECK(With(APolicy("bot", Rules(more))) == "deploy: undecided");
  }
  SECTION("they changed while the session was open, and were put back") {
    Refuse();
    clock.Advance(absl::Minutes(5));
    REQUIRE(Apply(APolicy("mod", Rules("    - deny: {tools: [deploy]}\n"))).ok());
    clock.Advance(absl::Hours(1));
    REQUIRE(Apply(APolicy("mod", Rules(by_env))).ok());
    CHECK(With(APolicy("bot", Rules(more), "okta", "[other]")) == "deploy: undecided");
  }
  SECTION("a policy that said more has been deleted since") {
    REQUIRE(Apply(APolicy("bot", Rules("    - deny: {tools: [deploy]}\n"))).ok());
    Refuse();
    clock.Advance(absl::Hours(1));
    REQUIRE(Delete(types::v1::DOCUMENT_KIND_POLICY, "bot").ok());
    CHECK(With(APolicy("last", Rules(more), "okta", "[other]")) == "deploy: undecided");
  }
}

TEST_CASE_METHOD(SimulatingRefusal, "what changed before and after a session is not of it",
                 "[policies][simulate]") {
  REQUIRE(Apply(APolicy("mod", Rules("    - deny: {tools: [deploy]}\n"))).ok());
  clock.Advance(absl::Minutes(1));
  REQUIRE(Apply(APolicy("mod", Rules(by_env))).ok());
  Refuse();
  clock.Advance(absl::Minutes(30));
  REQUIRE(Apply(APolicy("mod", Rules("    - deny: {tools: [deploy]}\n"))).ok());
  CHECK(With(APolicy("mod", Rules(by_env))) == "unchanged");
}

TEST_CASE_METHOD(Simulating, "a limit or `once` that reads what was masked leaves it open",
                 "[policies][simulate]") {
  recorded.AddTool("refund", R"({"payment":"[REDACTED:card]"})").masked = {"/payment"};
  const std::string rule = GENERATE(as<std::string>(), "once: {by: [/payment]}",
                                    "limit: {count: /payment, per_call: 1}");
  REQUIRE(Run(APolicy("p", Rules("    - allow: {tools: [refund], " + rule + "}"))).ok());
  CHECK(Only() == "refund: undecided");
}

TEST_CASE_METHOD(Simulating, "a completion whose kind was not recorded is open where that counts",
                 "[policies][simulate]") {
  recorded.Add({.method = "completion/complete",
                .target = "file:///a",
                .ref_is_resource = std::nullopt,
                .arguments = std::nullopt});
  const std::string methods = "methods: [\"completion/*\"], ";
  REQUIRE(Run(APolicy("p", Rules("    - allow: {" + methods + "prompts: [\"*\"]}"))).ok());
  CHECK_THAT(calls.at(0).undecided(), Contains("a prompt or a resource"));
  REQUIRE(
      Run(APolicy("p", Rules("    - allow: {" + methods + "prompts: [\"*\"], resources: [\"*\"]}")))
          .ok());
  CHECK(calls.empty());
}

TEST_CASE_METHOD(Simulating, "what policy had no say in is passed over", "[policies][simulate]") {
  recorded.AddTool("deploy").outcome = Outcome::kNotOfPolicy;
  recorded.Add({.method = "tools/list"});
  REQUIRE(Run(APolicy("p")).ok());
  CHECK(calls.empty());
  CHECK(summary.passed_over() == 1);
  CHECK(summary.calls() == 2);  // the list needs no rule
}

TEST_CASE_METHOD(Simulating, "requests of the server are judged, too", "[policies][simulate]") {
  recorded.Add({.kind = RecordedCall::Kind::kServerRequest, .method = "sampling"});
  REQUIRE(Run(APolicy("p")).ok());
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].method() == "sampling");
  CHECK(calls[0].would_be().decision() == "deny");
  REQUIRE(Run(APolicy("p", Rules("    - allow: {server_requests: [sampling]}"))).ok());
  CHECK(calls.empty());
}

TEST_CASE_METHOD(Simulating, "a flood of changes is counted and not listed",
                 "[policies][simulate]") {
  for (int i = 0; i < 10'050; ++i) recorded.AddTool("deploy");
  REQUIRE(Run(APolicy("p", Rules("    - deny: {tools: [deploy]}"))).ok());
  CHECK(calls.size() == 10'000);
  CHECK(summary.changed() == 10'050);
  CHECK(summary.not_listed() == 50);
}

TEST_CASE_METHOD(Simulating, "recordings are read by people of a role, and never by the machine",
                 "[policies][simulate]") {
  recorded.AddTool("deploy");
  const auto request = Request(APolicy("p"));
  for (const Caller& caller :
       {Caller(LocalAdminCaller{}, ""), APerson(false, false), Caller(AgentCaller{"a1"}, "")}) {
    CHECK(ReasonOf(Run(request, caller)) == types::v1::DENIAL_REASON_ROLE_MISSING);
    CHECK(calls.empty());
  }
  CHECK(recorded.filters.empty());
  CHECK(Run(request, APerson(true, false)).ok());
  CHECK(Run(request, kAuditor).ok());
  const auto lines = *audit_log::List(**control->Read(), 0, 100);
  REQUIRE(lines.size() == 5);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(lines[i].action == "policy.simulate");
    CHECK(lines[i].denial_reason ==
          (i < 3 ? types::v1::DENIAL_REASON_ROLE_MISSING : types::v1::DENIAL_REASON_UNSPECIFIED));
  }
  CHECK(lines.back().actor == "user:okta:dora");
  CHECK(lines.back().object == "everybody");
  CHECK_THAT(lines.back().detail, Contains("calls since ") && Contains("on every server"));
}

TEST_CASE_METHOD(Simulating, "what apply would refuse is refused, and so is a bad filter",
                 "[policies][simulate]") {
  CHECK_THAT(std::string(Run(APolicy("p", "  mask: [house]")).message()), Contains("house"));
  CHECK_THAT(std::string(Run(APolicy("p", "", "okat")).message()), Contains("okat"));
  CHECK_FALSE(Run("kind: Policy\nname: p\nspec: {server: x}\n").ok());
  auto request = Request(APolicy("p"));
  request.mutable_calls()->set_principal("nobody");
  CHECK_THAT(std::string(Run(request).message()), Contains("REALM:NAME"));
  request.mutable_calls()->clear_principal();
  request.mutable_calls()->clear_since();
  CHECK(Run(request).code() == absl::StatusCode::kInvalidArgument);
  CHECK(recorded.filters.empty());

  request = Request(APolicy("p"));
  request.mutable_calls()->set_principal("okta:0oa1:x");
  request.mutable_calls()->set_server("wiki");
  REQUIRE(Run(request).ok());
  CHECK(recorded.filters.at(0).realm == "okta");
  CHECK(recorded.filters.at(0).name == "0oa1:x");
  CHECK(recorded.filters.at(0).server == "wiki");
}

TEST_CASE_METHOD(Simulating, "a name of which nobody has heard is no empty answer",
                 "[policies][simulate]") {
  recorded.is_empty = true;
  REQUIRE(Apply("kind: Server\nname: wiki\nspec: {}\n").ok());
  auto request = Request(APolicy("p"));
  CHECK(Run(request).ok());
  request.mutable_calls()->set_server("wiki");
  CHECK(Run(request).ok());
  request.mutable_calls()->set_server("wik");
  CHECK(Run(request) ==
        absl::NotFoundError("no agent fronts a server called wik; did you mean wiki?"));
  request.mutable_calls()->clear_server();
  request.mutable_calls()->set_principal("okta:nobody");
  CHECK(Run(request) ==
        absl::NotFoundError("nobody called okta:nobody has ever had a session or done anything "
                            "here"));
}

}  // namespace
}  // namespace sallyport::controlplane
