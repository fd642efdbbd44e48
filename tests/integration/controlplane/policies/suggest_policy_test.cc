#include "controlplane/policies/suggest_policy.h"

#include "controlplane/store/audit_log.h"
#include "tests/integration/controlplane/policies/suggesting.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE_METHOD(Suggesting, "a suggestion names what was done, who did it and nothing else",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  recorded.AddTool("echo");
  recorded.AddTool("get-page");
  recorded.Add({.method = "resources/read", .target = "file:///a.txt"});
  recorded.Add({.method = "prompts/get", .target = "greet"});
  recorded.Add({.method = "logging/setLevel"});
  recorded.Add({.method = "tools/list"});
  recorded.Add({.kind = Kind::kServerRequest, .method = "elicitation"});
  RecordedCall& refused = recorded.AddTool("drop");
  refused.outcome = Outcome::kRefused;
  refused.reason = types::v1::DENIAL_REASON_POLICY_DENIED;
  REQUIRE(Run().ok());
  const types::v1::PolicySpec spec = Spec();
  REQUIRE(spec.principals_size() == 1);
  CHECK(spec.principals(0).realm() == "okta");
  CHECK(spec.principals(0).kind() == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(spec.principals(0).subjects(0) == "0oa1");
  CHECK(spec.principals(0).client_ids(0) == "0oa1");
  CHECK(spec.servers(0) == "wiki");
  REQUIRE(spec.rules_size() == 2);
  const types::v1::RuleBody& allow = spec.rules(0).allow();
  CHECK(std::vector<std::string>(allow.tools().begin(), allow.tools().end()) ==
        std::vector<std::string>{"echo", "get-page"});
  CHECK(allow.resources(0) == "file:///a.txt");
  CHECK(allow.prompts(0) == "greet");
  CHECK(allow.methods_size() == 1);
  CHECK(allow.methods(0) == "logging/setLevel");
  CHECK(spec.rules(1).allow().server_requests(0) == "elicitation");
  CHECK(suggestion.calls() == 7);
  CHECK(suggestion.covered() == 7);
  CHECK_THAT(suggestion.source(), Contains("# What service:okta:0oa1 did on wiki: 7 calls in 1"));
}

TEST_CASE_METHOD(Suggesting, "what is suggested can be applied, and lets all of it through",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  recorded.Add({.method = "completion/complete", .target = "greet"});
  recorded.Add({.method = "completion/complete", .target = "file:///x", .ref_is_resource = true});
  recorded.Add({.method = "resources/subscribe", .target = "file:///y"});
  recorded.Add({.method = "resources/unsubscribe", .target = "file:///y"});
  recorded.Add({.method = "resources/read", .target = "https://h/a/b?q=1"});
  recorded.Add({.method = "tasks/get"});
  REQUIRE(Run().ok());
  INFO(suggestion.source());
  CHECK(suggestion.covered() == suggestion.calls());
  REQUIRE(Apply(suggestion.source()).ok());

  admin::v1::SimulatePolicyRequest request;
  request.add_files()->set_name("suggested.yaml");
  request.mutable_files(0)->set_text(suggestion.source());
  request.set_alone(true);
  *request.mutable_calls()->mutable_since() = ToProto(clock.Now() - absl::Hours(1));
  admin::v1::SimulationSummary summary;
  REQUIRE(simulate
              .Run(kAuditor, request,
                   [&](const admin::v1::SimulatePolicyResponse& response) {
                     INFO(response.ShortDebugString());
                     CHECK_FALSE(response.has_call());
                     if (response.has_summary()) summary = response.summary();
                     return true;
                   })
              .ok());
  CHECK(summary.unchanged() == summary.calls());
}

TEST_CASE_METHOD(Suggesting, "what passed after an approval needs one again",
                 "[policies][suggest]") {
  const std::string id = AddApproval(*control, clock.Now(), "okta:leads");
  recorded.AddTool("echo");
  recorded.AddTool("delete");
  RecordedCall& call = recorded.AddTool("delete");
  call.outcome = Outcome::kApproved;
  call.approval_id = id;
  REQUIRE(Run().ok());
  const types::v1::PolicySpec spec = Spec();
  REQUIRE(spec.rules_size() == 2);
  CHECK(spec.rules(1).require_approval().tools(0) == "delete");
  CHECK(spec.rules(1).require_approval().approvers(0) == "okta:leads");
  CHECK(spec.rules(1).require_approval().count() == 2);
  CHECK(spec.rules(1).require_approval().expires_after().seconds() == 300);
  REQUIRE(suggestion.notes_size() == 1);
  CHECK_THAT(suggestion.notes(0), Contains("delete: 1 calls passed after an approval"));
}

TEST_CASE_METHOD(Suggesting, "terms and masks are never looser than those in force",
                 "[policies][suggest]") {
  REQUIRE(Apply(APolicy("p",
                        "  session: {max_duration: 10m, idle_timeout: 2m, max_calls: 7, open: "
                        "request, approval: {approvers: [\"okta:leads\"]}}\n  mask: [pii, "
                        "secrets]\n  rules: [{allow: {tools: [\"*\"]}}]"))
              .ok());
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  const types::v1::PolicySpec spec = Spec();
  CHECK(spec.session().max_duration().seconds() == 600);
  CHECK(spec.session().idle_timeout().seconds() == 120);
  CHECK(spec.session().max_calls() == 7);
  CHECK(spec.session().open() == types::v1::OPEN_MODE_REQUEST);
  CHECK(spec.session().approval().approvers(0) == "okta:leads");
  CHECK(std::vector<std::string>(spec.mask().begin(), spec.mask().end()) ==
        std::vector<std::string>{"pii", "secrets"});
}

TEST_CASE_METHOD(Suggesting, "a session may last as long as the longest did, rounded up",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  CHECK(Spec().session().max_duration().seconds() == 15 * 60);  // it lasted 12 minutes
}

TEST_CASE_METHOD(Suggesting, "each client and each server has a policy of its own",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  recorded.AddSession("ses_2", clock.Now()).set_server("Files.X");
  recorded.AddTool("read");
  recorded.AddSession("ses_3", clock.Now()).mutable_principal()->set_client_id("other");
  recorded.AddTool("write");
  REQUIRE(Run().ok());
  const auto documents = *ParseDocuments(suggestion.source(), "suggested");
  REQUIRE(documents.size() == 3);
  const auto begins = [&](int i, const std::string& text) {
    return documents[i].name().starts_with(text);
  };
  CHECK(begins(0, "suggested-0oa1-files.x-"));
  CHECK(begins(1, "suggested-0oa1-wiki-"));
  CHECK(begins(2, "suggested-other-wiki-"));
}

TEST_CASE_METHOD(Suggesting, "a suggestion's name is that of nobody else's",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  recorded.AddSession("ses_2", clock.Now()).mutable_principal()->set_subject("carol");
  recorded.AddTool("echo");
  recorded.AddSession("ses_3", clock.Now()).mutable_principal()->set_realm("ci");
  recorded.AddTool("echo");
  REQUIRE(Run().ok());
  const auto names = [&] {
    std::set<std::string> found;
    const auto documents = ParseDocuments(suggestion.source(), "suggested");
    REQUIRE(documents.ok());
    for (const auto& document : *documents) found.insert(document.name());
    return found;
  };
  const std::set<std::string> first = names();
  CHECK(first.size() == 3);
  REQUIRE(Run().ok());
  CHECK(names() == first);
}

TEST_CASE_METHOD(Suggesting, "arguments are restricted where their values are few and stable",
                 "[policies][suggest]") {
  for (int i = 0; i < 12; ++i) {
    recorded.AddTool("deploy", R"({"env":")" + std::string(i % 2 == 0 ? "dev" : "staging") +
                                   R"(","dry":true,"id":)" + std::to_string(i) +
                                   (i == 3 ? R"(,"extra":1})" : "}"));
  }
  recorded.AddTool("echo", R"({"text":"hello"})");  // too few calls to say
  REQUIRE(Run(kAuditor, /*with_arguments=*/true).ok());
  const types::v1::PolicySpec spec = Spec();
  INFO(suggestion.source());
  REQUIRE(spec.rules_size() == 2);
  const types::v1::RuleBody& deploy = spec.rules(0).allow();
  CHECK(deploy.tools(0) == "deploy");
  REQUIRE(deploy.when_size() == 2);
  CHECK(deploy.when(0).path() == "/dry");
  CHECK(deploy.when(0).in(0).flag());
  CHECK(deploy.when(1).path() == "/env");
  CHECK(deploy.when(1).in_size() == 2);
  CHECK(deploy.when(1).in(0).text() == "dev");
  CHECK(spec.rules(1).allow().tools(0) == "echo");
  CHECK(suggestion.covered() == 13);
  // Without the flag nothing is said of arguments.
  REQUIRE(Run().ok());
  CHECK(Spec().rules_size() == 1);
}

TEST_CASE_METHOD(Suggesting, "arguments that were masked or not recorded restrict nothing",
                 "[policies][suggest]") {
  for (int i = 0; i < 12; ++i) {
    RecordedCall& call = recorded.AddTool("deploy", R"({"env":"dev"})");
    if (i == 5) call.masked = {"/token"};
    if (i == 6) call.arguments = std::nullopt;
  }
  REQUIRE(Run(kAuditor, /*with_arguments=*/true).ok());
  CHECK(Spec().rules(0).allow().when().empty());
}

TEST_CASE_METHOD(Suggesting, "a name with a star is left out and said, not made a pattern",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  recorded.AddTool("every*thing");
  REQUIRE(Run().ok());
  CHECK(Spec().rules(0).allow().tools_size() == 1);
  REQUIRE(suggestion.notes_size() == 1);
  CHECK_THAT(suggestion.notes(0), Contains("star"));
  CHECK(suggestion.calls() == 2);
  CHECK(suggestion.covered() == 1);
}

TEST_CASE_METHOD(Suggesting, "what was masked is left out and said, and is not covered",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  recorded.Add({.method = "resources/read", .target = "file:///a"});
  recorded.Add(
      {.method = "resources/read", .target = "file:///[REDACTED:aws]", .is_target_hidden = true});
  recorded.Add({.method = "prompts/get", .target = "[REDACTED:aws]", .is_target_hidden = true});
  recorded.AddTool("[REDACTED:aws]").is_target_hidden = true;
  REQUIRE(Run().ok());
  INFO(suggestion.source());
  CHECK_THAT(suggestion.source(), !Contains("REDACTED"));
  REQUIRE(suggestion.notes_size() == 1);
  CHECK_THAT(suggestion.notes(0), Contains("3 calls named what was masked"));
  CHECK(suggestion.calls() == 5);
  CHECK(suggestion.covered() == 2);
}

TEST_CASE_METHOD(Suggesting, "a stream needs what it asks to hear of", "[policies][suggest]") {
  recorded.Add({.method = "subscriptions/listen", .target = "file:///a"});
  recorded.Add({.method = "subscriptions/listen", .target = "file:///b"});
  REQUIRE(Run().ok());
  const types::v1::RuleBody allow = Spec().rules(0).allow();
  CHECK(allow.methods(0) == "subscriptions/listen");
  CHECK(allow.resources_size() == 2);
  CHECK(suggestion.covered() == 2);
  recorded.Add({.method = "subscriptions/listen", .is_target_hidden = true});
  REQUIRE(Run().ok());
  CHECK(suggestion.notes_size() == 1);
  CHECK(suggestion.covered() == 2);
}

TEST_CASE_METHOD(Suggesting, "names from outside cannot break out of the document",
                 "[policies][suggest]") {
  recorded.AddSession("ses_2", clock.Now()).mutable_principal()->set_subject("x\nkind: Lock");
  recorded.AddTool("a: [b]\n---\nkind: Lock");
  REQUIRE(Run().ok());
  const auto documents = ParseDocuments(suggestion.source(), "suggested");
  INFO(suggestion.source());
  REQUIRE(documents.ok());
  REQUIRE(documents->size() == 1);
  CHECK((*documents)[0].policy().rules(0).allow().tools(0) == "a: [b]\n---\nkind: Lock");
}

TEST_CASE_METHOD(Suggesting, "who has done nothing gets no suggestion", "[policies][suggest]") {
  Recorded nothing;
  SuggestPolicy none(*control, clock, nothing.Source());
  admin::v1::SuggestPolicyRequest request;
  *request.mutable_calls()->mutable_since() = ToProto(clock.Now() - absl::Hours(1));
  const auto ignore = [](const admin::v1::SuggestPolicyResponse&) { return true; };
  CHECK(none.Run(kAuditor, request, ignore).code() == absl::StatusCode::kInvalidArgument);
  request.mutable_calls()->set_principal("okta:0oa1");
  CHECK(none.Run(kAuditor, request, ignore).code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Suggesting, "values of arguments are for auditors, the rest for admins as well",
                 "[policies][suggest]") {
  recorded.AddTool("echo");
  const Caller admin_person = APerson(true, false);
  CHECK(Run(admin_person).ok());
  CHECK(ReasonOf(Run(admin_person, true)) == types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(Run(Caller(LocalAdminCaller{}, ""))) == types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(Run(APerson(false, false))) == types::v1::DENIAL_REASON_ROLE_MISSING);
  const auto lines = *audit_log::List(**control->Read(), 0, 100);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].action == "policy.suggest");
  CHECK(lines[0].object == "okta:0oa1");
  CHECK(lines[0].denial_reason == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(lines[1].denial_reason == types::v1::DENIAL_REASON_ROLE_MISSING);
}

}  // namespace
}  // namespace sallyport::controlplane
