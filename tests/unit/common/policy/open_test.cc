#include "common/policy/compiled_policies.h"
#include "common/policy/open_refusal.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

OpenDecision Open(std::string_view yaml, const types::v1::Principal& principal = Bot(),
                  std::string_view server = "wiki", std::string_view agent = "a1") {
  return Compiled(yaml)->EvaluateOpen(principal, server, agent, kNow);
}

std::string Policy(const std::string& principals, const std::string& servers = "[wiki]") {
  return "kind: Policy\nname: p\nspec: {principals: " + principals + ", servers: " + servers +
         "}\n";
}

TEST_CASE("without a policy that names the principal the server is unknown", "[policy][open]") {
  CHECK(CompiledPolicies::Compile({}).value()->EvaluateOpen(Bot(), "wiki", "", kNow).reason ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  const char* principals =
      GENERATE("[{realm: other}]", "[{realm: okta, subjects: [x]}]",
               "[{realm: okta, client_ids: [BOT]}]", "[{realm: okta, groups: [g]}]",
               "[{realm: okta, kind: user}]", "[{realm: okta, subjects: [bot], client_ids: [x]}]");
  INFO(principals);
  CHECK(Open(Policy(principals)).reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE("a policy names by any entry, of which all that is given must hold", "[policy][open]") {
  const char* principals =
      GENERATE("[{realm: okta}]", "[{realm: okta, subjects: [x, bot]}]",
               "[{realm: okta, kind: service, client_ids: [bot]}]",
               "[{realm: other}, {realm: okta, subjects: [bot], client_ids: [bot]}]");
  INFO(principals);
  const OpenDecision decision = Open(Policy(principals));
  CHECK(decision.is_allowed());
  CHECK(decision.policies == std::vector<std::string>{"p"});
}

TEST_CASE("scopes that every entry of every policy asks for are asked of all", "[policy][open]") {
  using Scopes = std::vector<std::string>;
  const auto scopes = [](const std::string& yaml) { return Compiled(yaml)->scopes_of_all(); };
  const std::string one = Policy("[{realm: okta, scopes: [b, a]}, {realm: x, scopes: [a, b, c]}]");
  CHECK(scopes(one) == Scopes{"a", "b"});
  const auto and_one = [&](const std::string& principals) {
    return scopes(one + "---\nkind: Policy\nname: q\nspec: {principals: " + principals +
                  ", servers: [x]}\n");
  };
  CHECK(and_one("[{realm: okta, scopes: [b]}]") == Scopes{"b"});
  CHECK(and_one("[{realm: okta}]").empty());
  CHECK(CompiledPolicies::Compile({}).value()->scopes_of_all().empty());
}

TEST_CASE("a group counts only as one of the entry's realm", "[policy][open]") {
  const std::string yaml = Policy("[{realm: okta, groups: [deployers]}]");
  CHECK(Open(yaml, Person("a", {"okta:deployers"})).is_allowed());
  CHECK_FALSE(Open(yaml, Person("a", {"other:deployers"})).is_allowed());
  CHECK_FALSE(Open(yaml, Person("a", {"deployers"})).is_allowed());
}

TEST_CASE("servers are names or globs", "[policy][open]") {
  CHECK(Open(Policy("[{realm: okta}]", "[\"wi*\"]")).is_allowed());
  CHECK_FALSE(Open(Policy("[{realm: okta}]", "[\"wi*\"]"), Bot(), "kiwi").is_allowed());
}

TEST_CASE("who lacks scopes is told which, of the entry that is nearest", "[policy][open]") {
  const std::string yaml =
      Policy("[{realm: okta, scopes: [a, b, c]}, {realm: okta, scopes: [a, d]}]");
  const OpenDecision decision = Open(yaml, Bot({"a"}));
  CHECK(decision.reason == types::v1::DENIAL_REASON_SCOPE_MISSING);
  CHECK(decision.required_scopes == std::vector<std::string>{"a", "d"});
  CHECK(Open(yaml, Bot({"d", "a"})).is_allowed());
  CHECK(Open(yaml, Person("x")).reason == types::v1::DENIAL_REASON_SCOPE_MISSING);
  // Nobody is told of scopes for a server that no policy would give.
  CHECK(Open(yaml, Bot(), "other").reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE("a silent policy has the defaults", "[policy][open]") {
  const OpenDecision decision = Open(Policy("[{realm: okta}]"));
  CHECK(decision.terms.open() == types::v1::OPEN_MODE_CONNECT);
  CHECK(decision.terms.max_duration().seconds() == 3600);
  CHECK(decision.terms.idle_timeout().seconds() == 600);
  CHECK(decision.terms.disconnect_grace().seconds() == 30);
  CHECK(decision.terms.max_calls() == 0);
  CHECK(decision.terms.bind() == types::v1::BIND_MODE_PRINCIPAL);
  CHECK_FALSE(decision.terms.has_approval());
}

TEST_CASE("over several policies the tightest terms hold", "[policy][open]") {
  const OpenDecision decision = Open(
      BotPolicy("  session: {max_duration: 15m, idle_timeout: 5m, max_calls: 9}", "a") + "---\n" +
      BotPolicy("  session: {open: request, max_duration: 2h, idle_timeout: 2m, max_calls: 200, "
                "disconnect_grace: 5s}",
                "b") +
      "---\n" + BotPolicy("  session: {bind: address}", "c"));
  CHECK(decision.policies == std::vector<std::string>{"a", "b", "c"});
  CHECK(decision.terms.open() == types::v1::OPEN_MODE_REQUEST);
  CHECK(decision.terms.max_duration().seconds() == 900);
  CHECK(decision.terms.idle_timeout().seconds() == 120);
  CHECK(decision.terms.disconnect_grace().seconds() == 5);
  CHECK(decision.terms.max_calls() == 9);
  CHECK(decision.terms.bind() == types::v1::BIND_MODE_ADDRESS);
}

TEST_CASE("an approval binds to the address unless its policy says otherwise", "[policy][open]") {
  const OpenDecision silent =
      Open(BotPolicy("  session: {approval: {approvers: [okta:x], expires_after: 3m}}"));
  REQUIRE(silent.terms.has_approval());
  CHECK(silent.terms.approval().count() == 1);
  CHECK(silent.terms.approval().expires_after().seconds() == 180);
  CHECK(silent.terms.bind() == types::v1::BIND_MODE_ADDRESS);
  CHECK(Open(BotPolicy("  session: {bind: principal, approval: {approvers: [okta:x]}}"))
            .terms.bind() == types::v1::BIND_MODE_PRINCIPAL);
  CHECK(Open(BotPolicy("  session: {approval: {approvers: [okta:x]}}", "a") + "---\n" +
             BotPolicy("  session: {bind: principal}", "b"))
            .terms.bind() == types::v1::BIND_MODE_ADDRESS);
}

TEST_CASE("the strictest approval holds: approvers of all policies, the shortest time",
          "[policy][open]") {
  const std::string first =
      BotPolicy("  session: {approval: {approvers: [okta:x, okta:y], expires_after: 8m}}", "a");
  const OpenDecision both = Open(
      first + "---\n" +
      BotPolicy("  session: {approval: {approvers: [okta:y, okta:z], expires_after: 5m}}", "b") +
      "---\n" + BotPolicy("  session: {max_calls: 1}", "c"));
  REQUIRE(both.terms.has_approval());
  CHECK(both.terms.approval().approvers_size() == 1);
  CHECK(both.terms.approval().approvers(0) == "okta:y");
  CHECK(both.terms.approval().expires_after().seconds() == 300);
  const OpenDecision none =
      Open(first + "---\n" + BotPolicy("  session: {approval: {approvers: [okta:z]}}", "b"));
  CHECK(none.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK_FALSE(none.detail.empty());
}

TEST_CASE("a lock shuts what it names, and an empty one everything", "[policy][lock]") {
  struct Row {
    const char* spec;
    bool is_shut;
  };
  const Row row = GENERATE(
      Row{"{}", true}, Row{"{server: wiki}", true}, Row{"{server: other}", false},
      Row{"{agent: a1}", true}, Row{"{agent: a2}", false}, Row{"{principal: {realm: okta}}", true},
      Row{"{principal: {realm: other}}", false},
      Row{"{principal: {realm: okta, subject: bot}, server: wiki}", true},
      Row{"{principal: {realm: okta, subject: bot}, server: other}", false},
      Row{"{principal: {realm: okta, subject: b}}", false},
      Row{"{principal: {realm: okta, client_id: bot}}", true},
      Row{"{principal: {realm: okta, kind: user}}", false},
      Row{"{expires: 2027-01-15T08:00:01Z}", true}, Row{"{expires: 2027-01-15T08:00:00Z}", false});
  INFO(row.spec);
  const OpenDecision decision =
      Open(Policy("[{realm: okta}]") + "---\nkind: Lock\nname: l\nspec: " + row.spec + "\n");
  CHECK(decision.reason ==
        (row.is_shut ? types::v1::DENIAL_REASON_LOCKED : types::v1::DENIAL_REASON_UNSPECIFIED));
  CHECK(decision.lock == (row.is_shut ? "l" : ""));
  if (row.is_shut) {
    CHECK(WhyRefused(decision, "wiki") == "access is shut by lock l: ask an administrator");
  }
}

TEST_CASE("who is not named learns nothing of a lock", "[policy][lock]") {
  CHECK(Open("kind: Lock\nname: l\nspec: {}\n").reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
}

TEST_CASE("owners are those of every entry that could match, scopes aside", "[policy][open]") {
  const auto compiled = Compiled(Policy(
      "[{realm: okta, client_ids: [bot], scopes: [s], owners: [okta:team]}, {realm: okta, "
      "subjects: [bot], owners: [okta:dora]}, {realm: okta, subjects: [x], owners: [okta:no]}]"));
  CHECK(compiled->OwnersOf(Bot()) == std::vector<std::string>{"okta:dora", "okta:team"});
}

TEST_CASE("a document that cannot be understood is not guessed at", "[policy]") {
  types::v1::Document document;
  document.set_kind(types::v1::DOCUMENT_KIND_POLICY);
  document.set_name("p");
  CHECK_FALSE(CompiledPolicies::Compile({&document, 1}).ok());
  auto valid = Parsed(BotPolicy("  rules: [{allow: {tools: [t]}}]"))[0];
  valid.mutable_policy()->mutable_rules(0)->mutable_deny()->add_tools("x");
  CHECK_FALSE(CompiledPolicies::Compile({&valid, 1}).ok());
}

TEST_CASE("a claim must have one of the values, of the same type", "[policy][open]") {
  const auto policies = Compiled(
      "kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, claims: {team: [pay, risk], "
      "level: 3, verified: true}}]\n  servers: [wiki]\n");
  types::v1::Principal principal = Bot();
  const auto set = [&](const char* name, auto put) {
    types::v1::Claim& claim = *principal.add_claims();
    claim.set_name(name);
    put(*claim.add_values());
    return &claim;
  };
  types::v1::Claim* team = set("team", [](types::v1::Scalar& value) { value.set_text("ops"); });
  team->add_values()->set_text("risk");
  types::v1::Claim* level = set("level", [](types::v1::Scalar& value) { value.set_number("3.0"); });
  types::v1::Claim* verified =
      set("verified", [](types::v1::Scalar& value) { value.set_flag(true); });
  const auto is_known = [&] {
    return policies->EvaluateOpen(principal, "wiki", "", kNow).is_allowed();
  };
  CHECK(is_known());
  team->mutable_values(1)->set_text("RISK");
  CHECK_FALSE(is_known());
  team->mutable_values(1)->set_text("risk");
  level->mutable_values(0)->set_text("3");
  CHECK_FALSE(is_known());
  level->mutable_values(0)->set_number("3");
  verified->mutable_values(0)->set_text("true");
  CHECK_FALSE(is_known());
  verified->mutable_values(0)->set_flag(true);
  CHECK(is_known());
  principal.mutable_claims()->RemoveLast();
  CHECK_FALSE(is_known());
}

TEST_CASE("over several policies the strictest lease and all limits hold", "[policy][open]") {
  const auto terms = [](const std::string& yaml) {
    const OpenDecision decision = Compiled(yaml)->EvaluateOpen(Bot(), "wiki", "", kNow);
    REQUIRE(decision.is_allowed());
    return decision.terms;
  };
  const std::string strict = BotPolicy("  session: {on_control_plane_loss: strict}");
  CHECK_FALSE(terms(BotPolicy("")).has_lease());
  CHECK(terms(strict).lease().seconds() == 10);
  CHECK(terms(strict).on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT);
  const auto both = terms(
      BotPolicy("  session: {lease: 1m, on_control_plane_loss: strict, limits: [{per: session, "
                "calls: 5, within: 1m}, {per: principal, concurrent: 9}]}") +
      "---\n" +
      BotPolicy("  session: {lease: 5s, limits: [{per: session, calls: 6, within: 60s}, {per: "
                "session, calls: 60, within: 1h}, {per: principal, concurrent: 3}]}",
                "q") +
      "---\nkind: Server\nname: wiki\nspec: {limits: [{per: session, calls: 4, within: 1m}]}\n" +
      "---\nkind: Server\nname: other\nspec: {limits: [{per: session, calls: 1, within: 1m}]}\n");
  CHECK(both.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT);
  CHECK(both.lease().seconds() == 5);
  REQUIRE(both.limits_size() == 3);
  CHECK(both.limits(0).calls() == 4);
  CHECK(both.limits(1).calls() == 60);
  CHECK(both.limits(2).concurrent() == 3);
}

TEST_CASE("the highest count of all approvals holds", "[policy][open]") {
  const auto policies =
      Compiled(BotPolicy("  session: {approval: {approvers: [okta:x], count: 3}}") + "---\n" +
               BotPolicy("  session: {approval: {approvers: [okta:x, okta:y]}}", "q"));
  const OpenDecision decision = policies->EvaluateOpen(Bot(), "wiki", "", kNow);
  REQUIRE(decision.terms.has_approval());
  CHECK(decision.terms.approval().count() == 3);
  CHECK(decision.terms.approval().approvers_size() == 1);
}

TEST_CASE("glass is broken where every policy that asks for an approval lets one",
          "[policy][open]") {
  const auto longest = [](const std::string& yaml, std::initializer_list<const char*> groups) {
    const auto policies = Compiled(yaml);
    return policies->EvaluateOpen(Person("ann", groups), "wiki", "", kNow).break_glass;
  };
  const auto policy = [](const std::string& session, const std::string& name) {
    return "kind: Policy\nname: " + name +
           "\nspec:\n  principals: [{realm: okta}]\n  servers: [wiki]\n  session: {" + session +
           "}\n";
  };
  const std::string asks = "approval: {approvers: [okta:x]}";
  const std::string glass = asks + ", max_duration: 30m, break_glass: {groups: [okta:sre]}";
  CHECK(longest(policy(glass, "p"), {"okta:sre"}) == absl::Minutes(30));
  CHECK_FALSE(longest(policy(glass, "p"), {"okta:dev"}));
  CHECK_FALSE(longest(policy(glass, "p") + "---\n" + policy(asks, "q"), {"okta:sre"}));
  CHECK(longest(policy(glass, "p") + "---\n" + policy("max_duration: 10m", "q"), {"okta:sre"}) ==
        absl::Minutes(10));
  CHECK(longest(policy(asks + ", break_glass: {groups: [okta:sre], max_duration: 5m}", "p"),
                {"okta:sre"}) == absl::Minutes(5));
}

TEST_CASE("no session opens outside of all hours", "[policy][open][hours]") {
  const std::string shut = BotPolicy(
      "  hours: [{days: [sat], from: \"08:00\", to: \"17:00\", zone: UTC}]\n"
      "  session: {approval: {approvers: [okta:x]}, max_duration: 5m}");
  const OpenDecision decision = Compiled(shut)->EvaluateOpen(Bot(), "wiki", "", kNow);
  CHECK(decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK_THAT(decision.detail, Catch::Matchers::Contains("hours"));
  // What it asks for holds beside a policy that is open.
  const OpenDecision beside =
      Compiled(shut + "---\n" + BotPolicy("", "q"))->EvaluateOpen(Bot(), "wiki", "", kNow);
  CHECK(beside.is_allowed());
  CHECK(beside.terms.has_approval());
  CHECK(beside.terms.max_duration().seconds() == 300);
}

TEST_CASE("a changed tool is held unless the server's document says otherwise", "[policy]") {
  const auto policies = Compiled(
      "kind: Server\nname: a\nspec: {pin: ignore}\n"
      "---\nkind: Server\nname: b\nspec: {}\n");
  CHECK(policies->PinOf("a") == types::v1::PIN_MODE_IGNORE);
  CHECK(policies->PinOf("b") == types::v1::PIN_MODE_HOLD);
  CHECK(policies->PinOf("c") == types::v1::PIN_MODE_HOLD);
}

// When a session that was opened under `before` ends once `after` is in force, from kNow on.
SessionEndByPolicy EndUnder(const std::string& after, const std::string& before,
                            const types::v1::Principal& principal = Bot()) {
  const OpenDecision opened = Compiled(before)->EvaluateOpen(principal, "wiki", "a1", kNow);
  REQUIRE(opened.is_allowed());
  return Compiled(after)->EndOf(principal, "wiki", opened.terms, kNow);
}

constexpr char kFree[] = "  session: {max_duration: 1h, idle_timeout: 5m}";

TEST_CASE("a session goes on under policies that would open it as it was", "[policy][open]") {
  const std::string before = BotPolicy(kFree);
  const std::string after = GENERATE(
      BotPolicy("  session: {max_duration: 2h, idle_timeout: 5m, disconnect_grace: 1m}"),
      BotPolicy("  session: {max_duration: 1h, idle_timeout: 5m}\n  rules: [{deny: {tools: [x]}}]"),
      // Which rules it has is judged call by call, whether it is named at all too.
      std::string("kind: Policy\nname: p\nspec: {principals: [{realm: other}], servers: [wiki]}\n"),
      // The hours count for calls.
      BotPolicy(std::string(kFree) + "\n  hours: [{days: [mon], from: \"00:00\", to: \"00:01\", "
                                     "zone: UTC}]"));
  INFO(after);
  CHECK(EndUnder(after, before).at == absl::InfiniteFuture());
}

TEST_CASE("a session whose glass was broken ends where nobody may break it any more",
          "[policy][open]") {
  const auto policy = [](const std::string& session, const std::string& name = "p") {
    return "kind: Policy\nname: " + name +
           "\nspec:\n  principals: [{realm: okta}]\n  servers: [wiki]\n  session: {" + session +
           "}\n";
  };
  const std::string asks = "approval: {approvers: [okta:x]}";
  const auto glass = [&](const std::string& terms) {
    return asks + ", break_glass: {" + terms + "}";
  };
  const types::v1::Principal olga = Person("olga", {"okta:sre"});
  const auto end = [&](const std::string& after) {
    OpenDecision opened = Compiled(policy(glass("groups: [okta:sre], max_duration: 5m")))
                              ->EvaluateOpen(olga, "wiki", "a1", kNow);
    opened.terms.mutable_break_glass()->set_seconds(300);
    return Compiled(after)->EndOf(olga, "wiki", opened.terms, kNow);
  };
  const std::string why = "let nobody break the glass that was broken, or for less time";
  CHECK(end(policy(glass("groups: [okta:sre], max_duration: 6m"))).at == absl::InfiniteFuture());
  CHECK(end(policy("max_duration: 9h")).at == absl::InfiniteFuture());
  for (const std::string& after :
       {policy(asks), policy(glass("groups: [okta:dba]")),
        policy(glass("groups: [okta:sre], max_duration: 4m")),
        policy(glass("groups: [okta:sre]")) + "---\n" + policy(asks, "q")}) {
    INFO(after);
    CHECK(end(after).at == kNow);
    CHECK(end(after).why == why);
  }
}

TEST_CASE("a session ends where the policies would open it on stricter terms", "[policy][open]") {
  const auto [after, why] = GENERATE(table<std::string, std::string>(
      {{"{max_duration: 59m, idle_timeout: 5m}", "set a tighter max_duration"},
       {"{max_duration: 1h, idle_timeout: 4m}", "set a tighter idle_timeout"},
       {"{max_duration: 1h, idle_timeout: 5m, disconnect_grace: 1s}",
        "set a tighter disconnect_grace"},
       {"{max_duration: 1h, idle_timeout: 5m, max_calls: 9}", "set a tighter max_calls"},
       {"{max_duration: 1h, idle_timeout: 5m, bind: address}", "set a tighter bind"},
       {"{max_duration: 1h, idle_timeout: 5m, on_control_plane_loss: strict}",
        "set a tighter lease"},
       {"{max_duration: 1h, idle_timeout: 5m, open: request}",
        "want a session to be asked for before it is opened"},
       {"{max_duration: 1h, idle_timeout: 5m, approval: {approvers: [\"okta:leads\"]}}",
        "ask for an approval that the session has not had"}}));
  // Another policy beside the one it was opened under is enough.
  const std::string more = "\n---\n" + BotPolicy("  session: " + after, "q");
  for (const std::string& all : {BotPolicy("  session: " + after), BotPolicy(kFree) + more}) {
    INFO(all);
    const SessionEndByPolicy end = EndUnder(all, BotPolicy(kFree));
    CHECK(end.at == kNow);
    CHECK(end.why == why);
  }
}

TEST_CASE("an approval that a session has had is as good as one that asks no more",
          "[policy][open]") {
  const auto asking = [](const std::string& approvers, int count) {
    return BotPolicy("  session: {approval: {approvers: [" + approvers +
                     "], count: " + std::to_string(count) + "}}");
  };
  const std::string had = asking("\"okta:leads\"", 2);
  CHECK(EndUnder(asking("\"okta:leads\"", 2), had).at == absl::InfiniteFuture());
  CHECK(EndUnder(asking("\"okta:leads\", \"okta:owners\"", 1), had).at == absl::InfiniteFuture());
  CHECK(EndUnder(asking("\"okta:leads\"", 3), had).why ==
        "ask for other or more approvers than the session has had");
  CHECK(EndUnder(asking("\"okta:owners\"", 1), had).why ==
        "ask for other or more approvers than the session has had");
}

TEST_CASE("a session that was opened on trial ends when the trial does", "[policy][open]") {
  const std::string trial = BotPolicy(
      "  session: {approval: {approvers: [\"okta:leads\"]}}\n  observe_until: " +
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", kNow + absl::Minutes(3), absl::UTCTimeZone()));
  const SessionEndByPolicy end = EndUnder(trial, trial);
  CHECK(end.at == kNow + absl::Minutes(3));
  CHECK(end.why == "ask for an approval that the session has not had");
}

}  // namespace
}  // namespace sallyport
