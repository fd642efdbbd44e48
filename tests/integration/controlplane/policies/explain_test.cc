#include "common/hmac.h"
#include "common/policy/session_policy.h"
#include "common/strings.h"
#include "controlplane/keys/effect_keys.h"
#include "controlplane/policies/explain_policy.h"
#include "controlplane/policies/explain_token.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/calls.h"
#include "controlplane/store/tools.h"
#include "tests/integration/controlplane/access/test_issuer.h"
#include "tests/integration/controlplane/policies/recorded.h"

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

struct Explaining : Fixture {
  TestIssuer okta;
  std::unique_ptr<Issuers> issuers;

  Explaining() {
    okta.WriteJwks(dir / "okta.json");
    config::v1::Issuer bound = Entry("bound", "", "api://bound");
    bound.set_issuer("https://bound.okta.test");
    bound.set_resource_bound(true);
    issuers = *Issuers::Create(
        {Entry("okta", "", "api://sallyport"), Entry("okta-people", "id_token", "people"), bound},
        {"api://sallyport-admin"}, clock);
  }

  config::v1::Issuer Entry(const std::string& id, const std::string& kind,
                           const std::string& audience) {
    config::v1::Issuer entry;
    entry.set_id(id);
    entry.set_realm("okta");
    entry.set_issuer("https://acme.okta.test");
    entry.add_audiences(audience);
    entry.add_algs("ES256");
    entry.set_token_kind(kind);
    entry.mutable_jwks()->set_file(dir / "okta.json");
    entry.mutable_claims()->add_client_id()->add_members("cid");
    entry.mutable_claims()->add_scopes()->add_members("scp");
    entry.mutable_claims()->add_groups()->add_members("groups");
    entry.mutable_principal()->add_user_if()->mutable_present()->add_members("uid");
    return entry;
  }

  std::string Token(const std::string& audience, const std::string& more = "",
                    const std::string& issuer = "https://acme.okta.test") {
    const int64_t now = absl::ToUnixSeconds(clock.Now());
    return okta.Mint(R"({"iss":")" + issuer + R"(","aud":")" + audience +
                     R"(","sub":"0oa1","jti":"t1","iat":)" + std::to_string(now) +
                     ",\"exp\":" + std::to_string(now + 300) + more + "}");
  }

  admin::v1::ExplainTokenResponse Explain(const std::string& token) {
    const auto response = ExplainToken(*control, clock, *issuers).Run(token);
    REQUIRE(response.ok());
    return *response;
  }
};

TEST_CASE_METHOD(Explaining, "a bot's token is an agent's, and the policies that name it are told",
                 "[policies][explain_token]") {
  const auto applied =
      Apply(APolicy("named") + "---\n" + APolicy("elsewhere", "", "ci") +
            "---\nkind: Policy\nname: scoped\nspec:\n  principals: [{realm: okta, client_ids: "
            "[\"0oa1\"], scopes: [mcp.use]}]\n  servers: [files]\n"
            "---\nkind: Policy\nname: others\nspec:\n  principals: [{realm: okta, client_ids: "
            "[other]}]\n  servers: [files]\n");
  INFO(applied.status());
  REQUIRE(applied.ok());
  const auto told = Explain(Token("api://sallyport", R"(,"cid":"0oa1")"));
  CHECK(told.agents().is_accepted());
  CHECK(told.agents().issuer() == "okta");
  CHECK(told.agents().audience() == "api://sallyport");
  CHECK(told.agents().principal().client_id() == "0oa1");
  CHECK(told.agents().principal().kind() == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(told.people().is_accepted());
  CHECK(told.people().may_access());
  CHECK_FALSE(told.people().may_manage());
  REQUIRE(told.policies_size() == 2);
  CHECK(told.policies(0).policy() == "named");
  CHECK(told.policies(0).servers(0) == "wiki");
  CHECK(told.policies(0).required_scopes().empty());
  CHECK(told.policies(1).policy() == "scoped");
  CHECK(told.policies(1).required_scopes(0) == "mcp.use");
}

TEST_CASE_METHOD(Explaining, "a person's sign-in is for managing, and agents say why not for them",
                 "[policies][explain_token]") {
  REQUIRE(Apply(APolicy("named")).ok());
  const auto told = Explain(Token("people", R"(,"uid":"dora")"));
  CHECK(told.people().is_accepted());
  CHECK(told.people().may_manage());
  CHECK(told.people().issuer() == "okta-people");
  CHECK_FALSE(told.agents().is_accepted());
  CHECK(told.agents().reason() == types::v1::DENIAL_REASON_TOKEN_INVALID);
  CHECK(told.agents().detail() == "an ID token is for the people's API only");
  CHECK(told.policies().empty());
}

TEST_CASE_METHOD(Explaining, "a token for an agent's own URL is taken as that agent would take it",
                 "[policies][explain_token]") {
  const std::string url = "https://mcp.example.com/wiki/mcp";
  const auto told = Explain(Token(url, R"(,"cid":"0oa1")", "https://bound.okta.test"));
  CHECK(told.agents().is_accepted());
  CHECK(told.agents().audience() == url);
  CHECK_FALSE(told.people().is_accepted());
  CHECK_FALSE(Explain(Token("api://bound", R"(,"cid":"x")", "https://bound.okta.test"))
                  .agents()
                  .is_accepted());
}

TEST_CASE_METHOD(Explaining, "what is wrong with a token is an answer",
                 "[policies][explain_token]") {
  CHECK(Explain("a.b.c").people().reason() == types::v1::DENIAL_REASON_TOKEN_INVALID);
  const std::string late = Token("api://sallyport", R"(,"cid":"0oa1")");
  clock.Advance(absl::Hours(1));
  CHECK(Explain(late).agents().reason() == types::v1::DENIAL_REASON_TOKEN_EXPIRED);
  const auto other = Explain(Token("api://other", R"(,"cid":"0oa1")"));
  CHECK(other.agents().detail() ==
        "aud is for nobody here; the token is for api://other, and what is taken here is "
        "api://sallyport, or an agent's own URL");
  CHECK_THAT(other.people().detail(), Contains("for api://other, and what is taken here is "
                                               "api://sallyport, api://sallyport-admin, people"));
  const auto foreign = Explain(Token("api://sallyport", "", "https://evil.test"));
  CHECK(foreign.agents().detail() == "iss is not trusted");
  CHECK(foreign.policies().empty());
  CHECK(ExplainToken(*control, clock, *issuers).Run("").status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Explaining, "claims are mapped as a token's would be, and vouch for nothing",
                 "[policies][explain_token]") {
  const TrustedIssuers& trusted = issuers->trusted();
  const auto bot = trusted.MapUnverified(R"({"sub":"0oa1","cid":"c","groups":["g"]})", "okta");
  REQUIRE(bot.ok());
  CHECK(bot->realm() == "okta");
  CHECK(bot->kind() == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(bot->client_id() == "c");
  CHECK(bot->groups(0) == "okta:g");
  CHECK(trusted
            .MapUnverified(
                R"({"iss":"https://acme.okta.test","aud":"people","sub":"d","uid":"d","cid":"c"})",
                "")
            ->kind() == types::v1::PRINCIPAL_KIND_USER);
  const auto refused = [&](const char* claims, const char* issuer = "") {
    return std::string(trusted.MapUnverified(claims, issuer).status().message());
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refused("[]"), Contains("no JSON object"));
  CHECK_FALSE(refused(R"({"sub":"a","sub":"b"})", "okta").empty());
  CHECK_THAT(refused("{}"), Contains("name the issuer entry"));
  CHECK_THAT(refused(R"({"iss":"https://acme.okta.test","sub":"x"})"), Contains("several"));
  CHECK_THAT(refused(R"({"sub":"x"})", "nobody"), Contains("\"nobody\""));
  CHECK_THAT(refused(R"({"sub":"x"})", "okt"),
             Contains("\"okt\"; did you mean okta") && Contains("(okta, okta-people, bound)"));
  CHECK_THAT(refused(R"({"iss":"https://evil.test"})"),
             Contains("iss is of no issuer entry: https://evil.test"));
  CHECK_THAT(refused(R"({"cid":"x"})", "okta"), Contains("sub is missing"));
  CHECK_THAT(refused(R"({"sub":"x","cid":"x","cnf":{}})", "okta"), Contains("cnf"));
}

constexpr char kRules[] =
    "  rules:\n    - allow: {tools: [deploy], when: [{path: /env, in: [dev]}]}\n"
    "    - deny: {tools: [drop]}\n";

struct ExplainingPolicy : Explaining {
  std::unique_ptr<EffectKeys> effect_keys = *EffectKeys::Open(dir / "effect.key", std::nullopt);
  ExplainPolicy explain{*control, clock, *issuers, *effect_keys};

  ExplainingPolicy() { REQUIRE(Apply(APolicy("p", kRules)).ok()); }

  admin::v1::ExplainPolicyRequest Request(const std::string& tool,
                                          const std::string& arguments = "") {
    admin::v1::ExplainPolicyRequest request;
    request.mutable_call()->set_server("wiki");
    request.mutable_call()->set_tool(tool);
    request.mutable_call()->set_arguments_json(arguments);
    request.mutable_claims()->set_json(R"({"sub":"bot","cid":"bot"})");
    request.mutable_claims()->set_issuer("okta");
    return request;
  }
};

TEST_CASE_METHOD(ExplainingPolicy, "arguments that no agent takes are not explained",
                 "[policies][explain]") {
  for (const char* arguments :
       {R"({"env":"dev","env":"dev"})", R"({"env":"dev","b":{"c":1,"c":2}})",
        R"({"env":"dev","b":01})", "[]"}) {
    INFO(arguments);
    const absl::Status status = explain.Run(Request("deploy", arguments)).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Matchers::Contains("no agent takes the arguments"));
  }
}

TEST_CASE_METHOD(ExplainingPolicy, "a call is explained with the rule that decides it",
                 "[policies][explain]") {
  const auto allowed = explain.Run(Request("deploy", R"({"env":"dev"})"));
  REQUIRE(allowed.ok());
  CHECK(allowed->principal().subject() == "bot");
  CHECK(allowed->opening().decision() == "allow");
  CHECK(allowed->call().decision() == "allow");
  CHECK(allowed->call().policy() == "p");
  CHECK(allowed->call().rule() == 0);

  const auto failed = explain.Run(Request("deploy", R"({"env":"production"})"));
  CHECK(failed->call().decision() == "deny");
  CHECK(failed->call().reason() == types::v1::DENIAL_REASON_CONDITION_FAILED);
  CHECK_FALSE(failed->call().changes().empty());
  const auto denied = explain.Run(Request("drop"));
  CHECK(denied->call().rule() == 1);
}

struct ExplainingObstacles : ExplainingPolicy {
  void Enroll(const std::string& name, bool is_banned = false) {
    Agent agent{.name = name, .servers = {"wiki"}, .enrolled_at = clock.Now()};
    if (is_banned) agent.banned_at = clock.Now();
    const auto t = *control->Write();
    REQUIRE(agents::Put(*t, agent).ok());
    REQUIRE(t->Commit().ok());
  }
  void Pin(const std::string& name, bool is_changed) {
    agent::v1::SeenTool seen;
    seen.set_name(name);
    seen.set_definition_hash(std::string(64, 'a'));
    Tool tool = Tool::Pinned("wiki", seen, "a1", clock.Now());
    seen.set_definition_hash(std::string(64, 'b'));
    if (is_changed) tool.See(seen, "a1", clock.Now());
    const auto t = *control->Write();
    REQUIRE(tools::Put(*t, tool).ok());
    REQUIRE(t->Commit().ok());
  }
  static std::string Shown(const types::v1::Explanation& explanation) {
    std::string all = explanation.decision();
    for (const types::v1::Obstacle& obstacle : explanation.obstacles()) {
      all += "; " + std::string(ReasonName(obstacle.reason())) + ": " + obstacle.detail();
    }
    return all;
  }
  std::string Opening() { return Shown(explain.Run(Request(""))->opening()); }
  std::string Call(const std::string& tool) { return Shown(explain.Run(Request(tool))->call()); }
};

TEST_CASE_METHOD(ExplainingObstacles, "that nobody fronts the server is said beside the policies",
                 "[policies][explain]") {
  CHECK_THAT(Opening(), StartsWith("allow; server_unknown: no agent in service fronts the server"));
  Enroll("a1", /*is_banned=*/true);
  CHECK_THAT(Opening(), StartsWith("allow; server_unknown: ") &&
                            Contains("; locked: agent a1, which fronts it, is banned"));
  Enroll("a2");
  CHECK(Opening() == "allow; locked: agent a1, which fronts it, is banned until it enrolls again");
  Enroll("a1");
  CHECK(Opening() == "allow");
  REQUIRE(Apply("kind: Lock\nname: maint\nspec: {agent: a1}\n").ok());
  CHECK_THAT(Opening(), StartsWith("allow; locked: at agent a1 lock maint shuts it"));
  // What is now says nothing of another time; and what is denied is denied.
  auto request = Request("");
  *request.mutable_at() = ToProto(clock.Now());
  CHECK(Shown(explain.Run(request)->opening()) == "allow");
  REQUIRE(Apply("kind: Lock\nname: all\nspec: {}\n").ok());
  CHECK(Opening() == "deny");
}

TEST_CASE_METHOD(ExplainingObstacles, "a tool that waits to be accepted is said to",
                 "[policies][explain]") {
  REQUIRE(Apply(APolicy("p", "  rules: [{allow: {tools: [deploy, \"get-*\"]}}]")).ok());
  Pin("deploy", true);
  Pin("get-a", false);
  CHECK_THAT(Call("deploy"), Contains("allow; definition_changed: its definition has changed, and "
                                      "it waits until an administrator accepts that"));
  CHECK(Call("get-a") == "allow");
  CHECK(Call("drop") == "deny");
  REQUIRE(Apply("kind: Server\nname: wiki\nspec: {pin: deny}\n").ok());
  CHECK_THAT(Call("deploy"), Contains("it is refused until"));
  REQUIRE(Apply("kind: Server\nname: wiki\nspec: {pin: ignore}\n").ok());
  CHECK(Call("deploy") == "allow");
}

TEST_CASE_METHOD(ExplainingObstacles, "what a call may do once and was done, is said",
                 "[policies][explain]") {
  REQUIRE(Apply(APolicy("p",
                        "  rules: [{allow: {tools: [refund], once: {by: [/id]}, "
                        "limit: {count: /items, per_window: 3}}}]"))
              .ok());
  const auto refund = [&](const std::string& arguments) {
    auto request = Request("refund", arguments);
    request.mutable_claims()->set_json(R"({"sub":"0oa1","cid":"0oa1"})");
    return Shown(explain.Run(request)->call());
  };
  AddApproval(*control, clock.Now(), "okta:leads");
  CHECK(refund(R"({"id":7,"items":[1,2]})") == "allow");
  {
    const auto t = *control->Write();
    const Session session = **sessions::Find(*t, "ses_1");
    const auto policy = SessionPolicy::Bind(*CompiledPolicies::Compile(*documents::All(*t)),
                                            session.proto().principal(), session.proto().server());
    const CallDecision decision = policy->EvaluateCall(
        {.method = "tools/call", .target = "refund", .arguments = R"({"id":7,"items":[1,2]})"},
        clock.Now());
    REQUIRE(decision.once.size() == 1);
    types::v1::Call call;
    call.set_session_id("ses_1");
    call.set_call_id("c1");
    call.set_server("wiki");
    *call.mutable_principal() = session.proto().principal();
    call.set_method("tools/call");
    call.set_target("refund");
    const std::string digest = ToHex(HmacSha256(effect_keys->For("wiki"), decision.once[0].key));
    REQUIRE(calls::Insert(*t, ReservedCall::Reserved(call, std::string(64, 'a'), clock.Now()),
                          {.once_digests = {digest}, .objects = {{"/items", 2}}})
                .ok());
    REQUIRE(t->Commit().ok());
  }
  CHECK_THAT(
      refund(R"({"id":7,"items":[]})"),
      Contains("allow; already_done: it is done once, and a call of") && Contains("is doing it"));
  CHECK(refund(R"({"id":8,"items":[1]})") == "allow");
  CHECK_THAT(refund(R"({"id":8,"items":[1,2]})"),
             Contains("allow; limit_exceeded: calls may touch 3 objects within") &&
                 Contains("and 2 have been"));
  CHECK_THAT(refund(R"({"items":[]})"), Contains("deny"));
}

TEST_CASE_METHOD(ExplainingObstacles, "what is used up, and a no that stands, are said",
                 "[policies][explain]") {
  Enroll("a1");
  auto request = Request("");
  request.mutable_claims()->set_json(R"({"sub":"0oa1","cid":"0oa1"})");
  const auto opening = [&] {
    const auto explained = explain.Run(request);
    INFO(explained.status());
    REQUIRE(explained.ok());
    return Shown(explained->opening());
  };
  REQUIRE(Apply(APolicy("p", "  session: {max_calls: 7}\n  rules: []")).ok());
  CHECK(opening() == "allow");
  AddApproval(*control, clock.Now(), "okta:leads");
  CHECK(opening() == "allow");  // it goes on with its session
  {
    const auto t = *control->Write();
    Session session = **sessions::Find(*t, "ses_1");
    REQUIRE(sessions::EndLive(*t, session, sessions::Revoked("over"), admin, clock.Now()).ok());
    REQUIRE(t->Commit().ok());
  }
  // Until its agent says how many there were, all that it was given count.
  CHECK_THAT(opening(),
             Contains("allow; limit_exceeded: how many of the 7 calls (max_calls) are left is "
                      "not known, for the agent of session ses_1 has"));

  REQUIRE(Apply(APolicy("p", "  session: {approval: {approvers: [\"okta:leads\"]}}\n  rules: []"))
              .ok());
  CHECK(opening() == "require_approval");
  types::v1::Approval denied;
  denied.set_id("apr_2");
  denied.set_session_id("ses_1");
  denied.set_state(types::v1::APPROVAL_STATE_DENIED);
  *denied.mutable_created_at() = ToProto(clock.Now());
  *denied.mutable_expires_at() = ToProto(clock.Now() + absl::Minutes(5));
  {
    const auto t = *control->Write();
    REQUIRE(approvals::Insert(*t, Approval(Approval::Stored{.proto = denied})).ok());
    REQUIRE(t->Commit().ok());
  }
  CHECK_THAT(opening(), Contains("require_approval; approval_denied: approval apr_2 was denied"));
  clock.Advance(absl::Minutes(6));
  CHECK(opening() == "require_approval");
}

TEST_CASE_METHOD(ExplainingObstacles, "a no that stands for a call is said, and by whom",
                 "[policies][explain]") {
  Enroll("a1");
  REQUIRE(Apply(APolicy("p",
                        "  rules: [{require_approval: {tools: [drop], approvers: "
                        "[\"okta:leads\"]}}]"))
              .ok());
  AddApproval(*control, clock.Now(), "okta:leads");
  types::v1::Approval denied;
  denied.set_id("apr_2");
  denied.set_session_id("ses_1");
  denied.set_server("wiki");
  denied.set_method("tools/call");
  denied.set_tool("drop");
  denied.set_arguments(R"({"table": "t", "rows": 1.0})");
  denied.add_approvers("okta:leads");
  denied.set_count(1);
  denied.mutable_principal()->set_realm("okta");
  denied.mutable_principal()->set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  denied.mutable_principal()->set_subject("0oa1");
  denied.mutable_principal()->set_client_id("0oa1");
  denied.set_definition_hash(std::string(64, 'a'));
  denied.set_state(types::v1::APPROVAL_STATE_DENIED);
  types::v1::ApprovalDecision& decision = *denied.add_decisions();
  decision.mutable_by()->set_realm("okta");
  decision.mutable_by()->set_subject("alice");
  decision.set_reason("not that one");
  *denied.mutable_created_at() = ToProto(clock.Now());
  *denied.mutable_expires_at() = ToProto(clock.Now() + absl::Minutes(5));
  std::string arguments = R"({"rows":1,"table":"t"})";
  std::string who = "0oa1";
  const auto call = [&] {
    const auto t = *control->Write();
    REQUIRE(
        approvals::Insert(*t, Approval(Approval::Stored{.proto = denied, .call_digest = "digest"}))
            .ok());
    REQUIRE(t->Commit().ok());
    auto request = Request("drop");
    request.mutable_call()->set_arguments_json(arguments);
    request.mutable_claims()->set_json(R"({"sub":")" + who + R"(","cid":")" + who + R"("})");
    const auto explained = explain.Run(request);
    INFO(explained.status());
    REQUIRE(explained.ok());
    return Shown(explained->call());
  };
  const std::string stands =
      "require_approval; approval_denied: approval apr_2 was denied by okta:alice: not that one; "
      "that stands until ";
  SECTION("to the identical call") {
    const std::string said = call();
    CHECK_THAT(said, StartsWith(stands) && Contains(" for this client's identical call"));
    CHECK(said.find("cannot be told") == std::string::npos);
  }
  SECTION("to one of which not all can be read") {
    denied.add_cut("/table");
    CHECK_THAT(call(), StartsWith(stands) && Contains("cannot be told"));
  }
  SECTION("as long as its question was given") {
    *denied.mutable_expires_at() = ToProto(clock.Now());
    CHECK(call() == "require_approval");
  }
  SECTION("not to one of other arguments") {
    arguments = R"({"rows":2,"table":"t"})";
    CHECK(call() == "require_approval");
  }
  SECTION("not to somebody else's") {
    who = "0oa2";
    CHECK(call() == "require_approval");
  }
  SECTION("not where others are asked") {
    denied.set_approvers(0, "okta:admins");
    CHECK(call() == "require_approval");
  }
  SECTION("not about another definition") {
    Pin("drop", /*is_changed=*/false);
    denied.set_definition_hash(std::string(64, 'b'));
    CHECK(call() == "require_approval");
  }
}

TEST_CASE_METHOD(ExplainingObstacles, "an approval that nobody can give is said to be one",
                 "[policies][explain]") {
  Enroll("a1");
  const auto with = [&](const std::string& approvers) {
    REQUIRE(Apply("kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, owners: "
                  "[\"okta:team\"]}]\n  servers: [wiki]\n  rules: [{require_approval: {tools: "
                  "[deploy], approvers: [" +
                  approvers + "]}}]\n")
                .ok());
    return Call("deploy");
  };
  CHECK(with("\"okta:team\", \"okta:leads\"") == "require_approval");
  CHECK_THAT(with("\"okta:team\""),
             Contains("require_approval; approver_not_eligible: nobody can approve it"));
}

TEST_CASE_METHOD(ExplainingPolicy, "with a server alone the opening is explained, and no call",
                 "[policies][explain]") {
  auto request = Request("");
  CHECK_FALSE(explain.Run(request)->has_call());
  request.mutable_call()->set_server("elsewhere");
  CHECK(explain.Run(request)->opening().reason() == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  request = Request("");
  request.mutable_call()->set_server_request("sampling");
  CHECK(explain.Run(request)->call().decision() == "deny");
}

TEST_CASE_METHOD(ExplainingPolicy, "a mistyped word of a call is refused with what there is",
                 "[policies][explain]") {
  const auto refused = [&](const std::string& method, const std::string& server_request = "") {
    auto request = Request("");
    request.mutable_call()->set_method(method);
    request.mutable_call()->set_server_request(server_request);
    const auto status = explain.Run(request).status();
    CHECK((status.ok() || status.code() == absl::StatusCode::kInvalidArgument));
    return std::string(status.message());
  };
  CHECK_THAT(refused("", "samplig"), Contains("cannot ask for \"samplig\"") &&
                                         Contains("sampling, elicitation, roots") &&
                                         Contains("did you mean sampling?"));
  CHECK_THAT(refused("tools/call"), Contains("tools/call needs the tool"));
  CHECK_THAT(refused("resources/read"), Contains("needs the resource"));
  CHECK_THAT(refused("resources/subscribe"), Contains("needs the resource"));
  CHECK_THAT(refused("prompts/get"), Contains("needs the prompt"));
  CHECK_THAT(refused("completion/complete"), Contains("needs the prompt or the resource"));
  CHECK(refused("tools/list").empty());
  CHECK(refused("vendor/x").empty());
}

TEST_CASE_METHOD(ExplainingObstacles,
                 "names of a call that nobody knows are told beside the answer",
                 "[policies][explain]") {
  const auto warnings = [&](auto change) {
    auto request = Request("deploy");
    change(*request.mutable_call());
    std::string all;
    const auto explained = explain.Run(request);
    REQUIRE(explained.ok());
    for (const std::string& warning : explained->warnings()) all += warning + "\n";
    return all;
  };
  Enroll("a1");
  CHECK(warnings([](auto&) {}).empty());
  Pin("deploy", false);
  CHECK(warnings([](auto&) {}).empty());
  CHECK(warnings([](auto& call) { call.set_tool("deploi"); }) ==
        "no agent has seen a tool deploi of wiki that policy shows to somebody; did you mean "
        "deploy?\n");
  CHECK(warnings([](auto& call) { call.set_server("wik"); }) ==
        "no agent fronts a server called wik; did you mean wiki?\n");
  CHECK(warnings([](auto& call) {
          call.clear_tool();
          call.set_method("tools/lst");
        }) == "MCP has no method tools/lst of a client; did you mean tools/list?\n");
}

TEST_CASE_METHOD(ExplainingPolicy, "a token is taken as an agent takes it, or the refusal is told",
                 "[policies][explain]") {
  auto request = Request("drop");
  request.set_token(Token("api://sallyport", R"(,"cid":"0oa1")"));
  CHECK(explain.Run(request)->principal().client_id() == "0oa1");
  request.set_token(Token("people", R"(,"uid":"dora")"));
  const auto refused = explain.Run(request).status();
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.message()),
             Catch::Matchers::Contains("token_invalid: an ID token is for the people's API only"));
}

TEST_CASE_METHOD(ExplainingPolicy, "what is no question gets no answer", "[policies][explain]") {
  const auto is_refused = [&](const admin::v1::ExplainPolicyRequest& request) {
    return explain.Run(request).status().code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(is_refused({}));
  auto request = Request("deploy");
  request.clear_who();
  CHECK(is_refused(request));
  request = Request("deploy", "[1]");
  CHECK(is_refused(request));
  request = Request("deploy");
  request.mutable_call()->set_prompt("p");
  CHECK(is_refused(request));
  request = Request("deploy");
  request.mutable_call()->set_server_request("sampling");
  CHECK(is_refused(request));
  request = Request("deploy");
  request.mutable_claims()->set_json("{}");
  CHECK(is_refused(request));
}

}  // namespace
}  // namespace sallyport::controlplane
