// A suggestion is never looser than what is in force.
#include "tests/integration/controlplane/policies/suggesting.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Suggesting, "what rules in force ask of a call holds in what is suggested",
                 "[policies][suggest]") {
  REQUIRE(
      Apply(
          APolicy("p",
                  R"(  session: {approval: {approvers: ["okta:leads"], count: 3, expires_after: 3m}}
  rules:
    - allow: {tools: ["get-*", deploy], when: [{path: /env, in: [dev]}], on_unknown: deny}
    - allow: {tools: [refund], once: {by: [/id]}, limit: {count: /items, per_window: 5}}
    - allow: {resources: ["file:///**"], on_unknown: ask}
    - require_approval: {tools: ["delete-*"], when: [{path: /id, min: 9}], count: 4, expires_after: 2m}
    - require_approval: {tools: [rename], methods: ["tasks/*"]}
    - require_approval: {resources: ["file:///secret/**"], approvers: ["okta:prod"]}
    - deny: {tools: [deploy], when: [{path: /force, equals: true}]})"))
          .ok());
  recorded.AddTool("deploy", R"({"env":"dev"})");
  recorded.AddTool("get-page", R"({"env":"dev"})");
  recorded.AddTool("refund", R"({"id":1,"items":[]})");
  recorded.AddTool("delete-page", R"({"id":1})");
  recorded.AddTool("unruled");
  recorded.Add({.method = "resources/read", .target = "file:///a.txt"});
  REQUIRE(Run().ok());
  const types::v1::PolicySpec spec = Spec();
  INFO(suggestion.source());
  REQUIRE(spec.rules_size() == 7);
  const types::v1::RuleBody& deploy = spec.rules(0).allow();
  CHECK(std::vector<std::string>(deploy.tools().begin(), deploy.tools().end()) ==
        std::vector<std::string>{"deploy", "get-page"});
  REQUIRE(deploy.when_size() == 1);
  CHECK(deploy.when(0).path() == "/env");
  CHECK(deploy.on_unknown() == types::v1::ON_UNKNOWN_DENY);
  const types::v1::RuleBody& refund = spec.rules(1).allow();
  CHECK(refund.once().by(0) == "/id");
  CHECK(refund.limit().per_window() == 5);
  CHECK(refund.limit().window().seconds() == 3600);
  const types::v1::RuleBody& remove = spec.rules(2).require_approval();
  CHECK(remove.tools(0) == "delete-page");
  CHECK(remove.approvers(0) == "okta:leads");
  CHECK(remove.count() == 4);
  CHECK(remove.expires_after().seconds() == 120);
  CHECK(remove.when(0).path() == "/id");
  CHECK(spec.rules(3).require_approval().resources(0) == "file:///secret/**");
  CHECK(spec.rules(3).require_approval().approvers(0) == "okta:prod");
  CHECK(spec.rules(4).deny().when(0).path() == "/force");
  CHECK(spec.rules(5).allow().tools(0) == "unruled");
  CHECK(spec.rules(6).allow().resources(0) == "file:///a.txt");
  CHECK(spec.rules(6).allow().on_unknown() == types::v1::ON_UNKNOWN_ASK);
  CHECK(spec.session().approval().count() == 3);
  CHECK(spec.session().approval().expires_after().seconds() == 180);
}

TEST_CASE_METHOD(Suggesting,
                 "an approval that rules in force ask for takes the place of the old one",
                 "[policies][suggest]") {
  REQUIRE(Apply(APolicy("p",
                        "  rules:\n    - allow: {tools: [echo]}\n    - require_approval: {tools: "
                        "[delete], approvers: [\"okta:prod\"], count: 2}"))
              .ok());
  const std::string id = AddApproval(*control, clock.Now(), "okta:leads");
  for (const char* tool : {"delete", "echo"}) {
    RecordedCall& call = recorded.AddTool(tool);
    call.outcome = Outcome::kApproved;
    call.approval_id = id;
  }
  REQUIRE(Run().ok());
  const types::v1::PolicySpec spec = Spec();
  INFO(suggestion.source());
  REQUIRE(spec.rules_size() == 3);
  CHECK(spec.rules(0).allow().tools(0) == "echo");
  CHECK(spec.rules(1).require_approval().tools(0) == "delete");
  CHECK(spec.rules(1).require_approval().approvers(0) == "okta:prod");
  // What nobody asks for any more needs the approval that it had.
  CHECK(spec.rules(2).require_approval().tools(0) == "echo");
  CHECK(spec.rules(2).require_approval().approvers(0) == "okta:leads");
}

TEST_CASE_METHOD(Suggesting, "whom and when policies in force name is whom and when it names",
                 "[policies][suggest]") {
  types::v1::Session& session = recorded.AddSession("ses_2", clock.Now());
  session.mutable_principal()->add_scopes("mcp:use");
  session.mutable_principal()->add_groups("okta:ops");
  session.set_server("files");
  const std::string hours = "  hours: [{from: \"00:00\", to: \"24:00\", zone: UTC}]\n";
  const auto policy = [&](const std::string& name, const std::string& asked,
                          const std::string& more) {
    return "kind: Policy\nname: " + name + "\nspec:\n  principals: [{realm: okta, " + asked +
           "}]\n  servers: [files]\n" + more + "  rules: [{allow: {tools: [echo]}}]\n";
  };
  recorded.AddTool("echo");
  SECTION("what one policy can say") {
    REQUIRE(
        Apply(policy("p", "scopes: [\"mcp:use\"], owners: [\"okta:leads\"]",
                     hours + "  session: {disconnect_grace: 5s}\n  recording: {content: none}\n"))
            .ok());
    REQUIRE(Run().ok());
    const types::v1::PolicySpec spec = Spec();
    INFO(suggestion.source());
    CHECK(spec.principals(0).scopes(0) == "mcp:use");
    CHECK(spec.principals(0).owners(0) == "okta:leads");
    REQUIRE(spec.hours_size() == 1);
    CHECK(spec.hours(0).to() == "24:00");
    CHECK(spec.session().disconnect_grace().seconds() == 5);
    CHECK(spec.recording().content() == types::v1::RECORDING_CONTENT_NONE);
    CHECK(suggestion.notes().empty());
  }
  SECTION("what it cannot is said") {
    REQUIRE(Apply(policy("p", "groups: [ops]", hours)).ok());
    REQUIRE(Apply(policy("q", "groups: [ops, leads]", "")).ok());
    REQUIRE(Run().ok());
    CHECK(Spec().principals(0).groups(0) == "ops");
    REQUIRE(suggestion.notes_size() == 2);
    CHECK_THAT(suggestion.notes(0), Contains("q asks for other groups"));
    CHECK_THAT(suggestion.notes(1), Contains("q has other hours"));
  }
}

TEST_CASE_METHOD(Suggesting, "outside of the hours in force a suggestion is what it is within them",
                 "[policies][suggest]") {
  const auto from = [&](absl::Duration later) {
    return absl::FormatTime("\"%H:00\"", clock.Now() + later, absl::UTCTimeZone());
  };
  const absl::Duration later = GENERATE(absl::ZeroDuration(), absl::Hours(6));
  REQUIRE(Apply(APolicy("p", "  hours: [{from: " + from(later) +
                                 ", to: " + from(later + absl::Hours(1)) + R"(, zone: UTC}]
  session: {open: request, max_duration: 10m, max_calls: 5, bind: principal,
            on_control_plane_loss: strict, limits: [{per: principal, calls: 3, within: 1m}],
            approval: {approvers: ["okta:leads"], count: 2}}
  rules: [{allow: {tools: [echo]}}])"))
              .ok());
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  INFO(suggestion.source());
  CHECK(suggestion.notes().empty());
  CHECK(Spec().hours_size() == 1);
  const types::v1::SessionTerms session = Spec().session();
  CHECK(session.open() == types::v1::OPEN_MODE_REQUEST);
  CHECK(session.max_duration().seconds() == 600);
  CHECK(session.max_calls() == 5);
  CHECK(session.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT);
  CHECK(session.limits_size() == 1);
  REQUIRE(session.approval().approvers_size() == 1);
  CHECK(session.approval().count() == 2);
}

TEST_CASE_METHOD(Suggesting, "policies that can never be met give their terms, and it is said",
                 "[policies][suggest]") {
  const auto asking = [](const std::string& name, const std::string& approval) {
    return APolicy(name, "  session: {open: request, max_calls: 5, approval: {" + approval +
                             "}}\n  rules: [{allow: {tools: [echo]}}]");
  };
  REQUIRE(Apply(asking("p", "approvers: [\"okta:leads\"], count: 2, expires_after: 5m")).ok());
  REQUIRE(Apply(asking("q", "approvers: [\"okta:prod\"], expires_after: 3m")).ok());
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  INFO(suggestion.source());
  const types::v1::SessionTerms session = Spec().session();
  CHECK(session.open() == types::v1::OPEN_MODE_REQUEST);
  CHECK(session.max_calls() == 5);
  CHECK(session.approval().approvers_size() == 2);
  CHECK(session.approval().count() == 2);
  CHECK(session.approval().expires_after().seconds() == 180);
  REQUIRE(suggestion.notes_size() == 1);
  CHECK_THAT(suggestion.notes(0), Contains("p, q ask for approval and have no approver in common"));
}

TEST_CASE_METHOD(Suggesting,
                 "what is in force for a token with other scopes is suggested with them",
                 "[policies][suggest]") {
  REQUIRE(Apply("kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, scopes: [deploy]}]\n"
                "  servers: [wiki]\n  session: {max_calls: 5}\n"
                "  rules: [{allow: {tools: [echo]}}]\n")
              .ok());
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  INFO(suggestion.source());
  REQUIRE(Spec().principals(0).scopes_size() == 1);
  CHECK(Spec().principals(0).scopes(0) == "deploy");
  CHECK(Spec().session().max_calls() == 5);
}

TEST_CASE_METHOD(Suggesting, "a rule keeps what its own policy's silence means",
                 "[policies][suggest]") {
  REQUIRE(
      Apply(APolicy("p", R"(  session: {approval: {approvers: ["okta:leads"], expires_after: 12h}}
  rules: [{allow: {tools: [pay], once: {by: [/id]}}}])"))
          .ok());
  REQUIRE(Apply(APolicy("q", R"(  rules:
    - allow: {tools: [refund], once: {by: [/id]}}
    - require_approval: {tools: [delete], approvers: ["okta:leads"]})"))
              .ok());
  for (const char* tool : {"pay", "refund", "delete"}) recorded.AddTool(tool, R"({"id":1})");
  REQUIRE(Run().ok());
  INFO(suggestion.source());
  const types::v1::PolicySpec spec = Spec();
  REQUIRE(spec.rules_size() == 3);
  CHECK(spec.rules(0).allow().on_unknown() == types::v1::ON_UNKNOWN_ASK);
  CHECK(spec.rules(1).allow().on_unknown() == types::v1::ON_UNKNOWN_DENY);
  CHECK(spec.rules(2).require_approval().expires_after().seconds() == 600);
}

TEST_CASE_METHOD(Suggesting, "a trial that let things through is said", "[policies][suggest]") {
  REQUIRE(Apply(APolicy("trial", "  rules: []\n  observe_until: 2100-01-01T00:00:00Z")).ok());
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  REQUIRE(suggestion.notes_size() == 1);
  CHECK_THAT(suggestion.notes(0), Contains("trial is a trial until 2100-01-01T00:00:00Z"));
  CHECK(Spec().rules(0).allow().tools(0) == "echo");
}

}  // namespace
}  // namespace sallyport::controlplane
