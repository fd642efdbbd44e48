#include "common/policy/condition.h"
#include "common/policy/session_policy.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

CallDecision Tool(const SessionPolicy& policy, std::string_view name,
                  std::string_view arguments = {}) {
  return policy.EvaluateCall({.method = "tools/call", .target = name, .arguments = arguments},
                             kNow);
}

CallDecision Read(const SessionPolicy& policy, std::string_view uri) {
  return policy.EvaluateCall({.method = "resources/read", .target = uri}, kNow);
}

CallDecision Method(const SessionPolicy& policy, std::string_view method) {
  return policy.EvaluateCall({.method = method}, kNow);
}

constexpr const char* kExample = R"(  session: {approval: {approvers: [okta:leads]}}
  rules:
    - allow: {tools: ["get-*", echo], resources: ["file:///public/**"], prompts: ["*"], methods: ["logging/*", "completion/*"]}
    - allow: {tools: [deploy], when: [{path: /env, in: [staging, dev]}]}
    - allow: {server_requests: [elicitation]}
    - require_approval: {tools: ["delete-*"], approvers: [okta:approvers], expires_after: 5m}
    - require_approval: {tools: ["move-*"]}
    - deny: {tools: ["drop-*", get-secret]})";

TEST_CASE("what no rule names is hidden", "[policy][call]") {
  const auto policy = Bound(BotPolicy(kExample));
  const CallDecision tool = Tool(*policy, "unknown");
  CHECK(tool.verdict == Verdict::kHidden);
  CHECK(tool.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
  const CallDecision method = Method(*policy, "vendor/thing");
  CHECK(method.verdict == Verdict::kHidden);
  CHECK(method.reason == types::v1::DENIAL_REASON_METHOD_UNKNOWN);
  CHECK(Read(*policy, "file:///private/x").verdict == Verdict::kHidden);
}

TEST_CASE("what is allowed names the policy that allows it", "[policy][call]") {
  const auto policy = Bound(BotPolicy(kExample));
  const CallDecision echo = Tool(*policy, "echo", R"({"a":1})");
  CHECK(echo.verdict == Verdict::kAllow);
  CHECK(echo.policy == "p");
  CHECK(Read(*policy, "file:///public/a/b").verdict == Verdict::kAllow);
  CHECK(policy->EvaluateCall({.method = "prompts/get", .target = "any"}, kNow).verdict ==
        Verdict::kAllow);
  CHECK(Method(*policy, "logging/setLevel").verdict == Verdict::kAllow);
}

TEST_CASE("deny beats allow and says so", "[policy][call]") {
  const CallDecision decision = Tool(*Bound(BotPolicy(kExample)), "get-secret");
  CHECK(decision.verdict == Verdict::kDeny);
  CHECK(decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(decision.policy == "p");
}

TEST_CASE("a condition that fails is a refusal with its own reason", "[policy][call]") {
  const auto policy = Bound(BotPolicy(kExample));
  CHECK(Tool(*policy, "deploy", R"({"env":"dev"})").verdict == Verdict::kAllow);
  const char* arguments = GENERATE(R"({"env":"production"})", R"({})", "", R"({"env":["dev"]})",
                                   R"({"env":"dev","env":"production"})", R"(["dev"])");
  INFO(arguments);
  const CallDecision decision = Tool(*policy, "deploy", arguments);
  CHECK(decision.verdict == Verdict::kDeny);
  CHECK(decision.reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
}

TEST_CASE("what restricts a number restricts its double, and what grants grants both",
          "[policy][call]") {
  const auto judged = [](const std::string& rules, const char* number) {
    return Tool(*Bound(BotPolicy("  session: {approval: {approvers: [okta:leads]}}\n  rules: [" +
                                 rules + "]")),
                "pay", std::string("{\"n\":") + number + "}");
  };
  const std::string allow = "{allow: {tools: [pay]}}, ";
  const std::string from = "{tools: [pay], when: [{path: /n, min: 100}]}}";
  for (const char* number : {"100", "99.99999999999999999999999", "1e400"}) {
    INFO(number);
    CHECK(judged(allow + "{deny: " + from, number).verdict == Verdict::kDeny);
    CHECK(judged(allow + "{require_approval: " + from, number).verdict ==
          Verdict::kRequireApproval);
  }
  CHECK(judged(allow + "{deny: " + from, "99.9999999999999").verdict == Verdict::kAllow);
  const std::string up_to = "{allow: {tools: [pay], when: [{path: /n, max: 100}]}}";
  CHECK(judged(up_to, "100.0").verdict == Verdict::kAllow);
  const CallDecision more = judged(up_to, "100.00000000000000000000001");
  CHECK(more.verdict == Verdict::kDeny);
  CHECK(more.reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
  // What a rule asks that lets a call through in one reading alone is asked.
  const std::string once =
      "{allow: {tools: [pay], when: [{path: /n, max: 100}], once: {by: [/n]}}}";
  CHECK(judged(allow + once, "100.00000000000000000000001").once.size() == 1);
}

TEST_CASE("no spelling of a name slips past a denial, and none grants what its plain text does not",
          "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: ["*"], prompts: ["*"]}
    - allow: {tools: [refund], once: {by: [/id]}}
    - deny: {tools: [bad, "\uff57orse-*"], prompts: [bad]})"));
  const std::string name =
      GENERATE("bad", "b\u200bad", "\uff42ad", "bad\u00ad", " bad", "bad\u3000", "ba\U000e0064d");
  INFO(name);
  CHECK(Tool(*policy, name).verdict == Verdict::kDeny);
  CHECK(Tool(*policy, name).rule == 2);
  CHECK_FALSE(policy->ShowsTool(name, kNow));
  CHECK(policy->EvaluateCall({.method = "prompts/get", .target = name}, kNow).verdict ==
        Verdict::kDeny);
  CHECK(Tool(*policy, "worse-x").verdict == Verdict::kDeny);
  CHECK(Tool(*policy, "\uff57orse-x").verdict == Verdict::kDeny);
  CHECK(Tool(*policy, "bad\u20ac").verdict == Verdict::kAllow);
  // What is asked of a name is asked of it however it is spelled.
  CHECK(Tool(*policy, "re\u200bfund", R"({"id":1})").once.size() == 1);
  CHECK(Tool(*policy, "re\u200bfund").reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
}

TEST_CASE("a name with a control character has no single meaning", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules: [{allow: {tools: ["*"], prompts: ["*"]}}])"));
  for (const std::string& name :
       {std::string("bad\0", 4), std::string("bad\n"), std::string("\x7f")}) {
    CHECK(Tool(*policy, name).verdict == Verdict::kDeny);
    CHECK(Tool(*policy, name).detail == "the name holds a control character");
    CHECK_FALSE(policy->ShowsTool(name, kNow));
    CHECK_FALSE(policy->ShowsPrompt(name, kNow));
  }
}

TEST_CASE("a name that is spelled oddly is allowed by its very own text", "[policy][call]") {
  const auto policy =
      Bound(BotPolicy(R"(  rules: [{allow: {tools: ["\uff53\u5f15", "a b", "\uff0ax"]}}])"));
  CHECK(Tool(*policy, "\uff53\u5f15").verdict == Verdict::kAllow);
  CHECK(Tool(*policy, "a b").verdict == Verdict::kAllow);
  CHECK(Tool(*policy, "\uff0ax").verdict == Verdict::kAllow);
  CHECK(Tool(*policy, "s\u5f15").verdict == Verdict::kHidden);
  CHECK(Tool(*policy, "yx").verdict == Verdict::kHidden);
}

TEST_CASE("a rule for approval has its own approvers or the session's", "[policy][call]") {
  const auto policy = Bound(BotPolicy(kExample));
  const CallDecision own = Tool(*policy, "delete-page");
  CHECK(own.verdict == Verdict::kRequireApproval);
  CHECK(own.approvers == std::vector<std::string>{"okta:approvers"});
  CHECK(own.expires_after == absl::Minutes(5));
  const CallDecision inherited = Tool(*policy, "move-page");
  CHECK(inherited.approvers == std::vector<std::string>{"okta:leads"});
  CHECK(inherited.expires_after == absl::Minutes(10));
}

TEST_CASE("approval beats allow, and deny beats approval", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: ["*"]}
    - require_approval: {tools: [a, b], approvers: [okta:x]}
    - deny: {tools: [b]})"));
  CHECK(Tool(*policy, "a").verdict == Verdict::kRequireApproval);
  CHECK(Tool(*policy, "b").verdict == Verdict::kDeny);
  CHECK(Tool(*policy, "c").verdict == Verdict::kAllow);
}

TEST_CASE("over several policies rights add up and refusals hold", "[policy][call]") {
  const auto policy =
      Bound(BotPolicy("  rules: [{allow: {tools: [a, b, c]}}]", "one") + "---\n" +
            BotPolicy("  rules: [{allow: {tools: [d]}}, {deny: {tools: [b]}}, {require_approval: "
                      "{tools: [c], approvers: [okta:x]}}]",
                      "two"));
  CHECK(Tool(*policy, "a").policy == "one");
  CHECK(Tool(*policy, "d").policy == "two");
  CHECK(Tool(*policy, "b").verdict == Verdict::kDeny);
  CHECK(Tool(*policy, "c").verdict == Verdict::kRequireApproval);
}

TEST_CASE("several demands for approval leave who is in all of them", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - require_approval: {tools: ["*"], approvers: [okta:x, okta:y], expires_after: 9m}
    - require_approval: {tools: ["a*"], approvers: [okta:y], expires_after: 4m}
    - require_approval: {tools: [ab], approvers: [okta:z]})"));
  const CallDecision a = Tool(*policy, "a");
  CHECK(a.approvers == std::vector<std::string>{"okta:y"});
  CHECK(a.expires_after == absl::Minutes(4));
  const CallDecision ab = Tool(*policy, "ab");
  CHECK(ab.verdict == Verdict::kDeny);
  CHECK_FALSE(ab.detail.empty());
}

TEST_CASE("arguments that can be read in two ways are refused even where a plain rule allows",
          "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: [t]}
    - deny: {tools: [t], when: [{path: /env, equals: production}]})"));
  CHECK(Tool(*policy, "t", R"({"env":"dev"})").verdict == Verdict::kAllow);
  CHECK(Tool(*policy, "t", R"({"env":"production"})").reason ==
        types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(Tool(*policy, "t", R"({"env":"dev","env":"production"})").reason ==
        types::v1::DENIAL_REASON_CONDITION_FAILED);
}

TEST_CASE("the methods that every session may use need no rule", "[policy][call]") {
  const auto policy = Bound(BotPolicy(""));
  const char* method =
      GENERATE("initialize", "notifications/initialized", "notifications/cancelled",
               "notifications/progress", "ping", "server/discover", "tools/list", "resources/list",
               "resources/templates/list", "prompts/list");
  INFO(method);
  CHECK(Method(*policy, method).verdict == Verdict::kAllow);
}

TEST_CASE("no other method passes without a rule", "[policy][call]") {
  const auto policy = Bound(BotPolicy(""));
  const char* method = GENERATE("tools/call", "prompts/get", "completion/complete",
                                "logging/setLevel", "resources/subscribe", "tasks/list", "Ping",
                                "ping ", "", "notifications/roots/list_changed", "tools/List");
  INFO(method);
  CHECK(policy->EvaluateCall({.method = method, .target = "x:y"}, kNow).verdict ==
        Verdict::kHidden);
}

TEST_CASE("an allowance of all methods allows no tool, resource or prompt", "[policy][call]") {
  const auto policy = Bound(BotPolicy("  rules: [{allow: {methods: [\"*\"]}}]"));
  CHECK(Method(*policy, "vendor/thing").verdict == Verdict::kAllow);
  CHECK(Tool(*policy, "t").verdict == Verdict::kHidden);
  CHECK(Read(*policy, "a:b").verdict == Verdict::kHidden);
  CHECK(policy->EvaluateCall({.method = "prompts/get", .target = "p"}, kNow).verdict ==
        Verdict::kHidden);
}

TEST_CASE("a denial of a method reaches what is judged by name too", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: ["*"], resources: ["*"]}
    - deny: {methods: ["tools/*"]})"));
  CHECK(Tool(*policy, "t").verdict == Verdict::kDeny);
  CHECK(Read(*policy, "a:b").verdict == Verdict::kAllow);
  CHECK(Method(*policy, "tools/list").verdict == Verdict::kAllow);
}

TEST_CASE("completion needs its method and its ref", "[policy][call]") {
  const auto complete = [](const SessionPolicy& policy, std::string_view ref, bool is_resource) {
    return policy
        .EvaluateCall(
            {.method = "completion/complete", .target = ref, .ref_is_resource = is_resource}, kNow)
        .verdict;
  };
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {methods: ["completion/*"], prompts: [a, b], resources: ["file:///public/**"]}
    - deny: {prompts: [b]}
    - require_approval: {prompts: [c], approvers: [okta:x]})"));
  CHECK(complete(*policy, "a", false) == Verdict::kAllow);
  CHECK(complete(*policy, "b", false) == Verdict::kDeny);
  CHECK(complete(*policy, "c", false) == Verdict::kDeny);
  CHECK(complete(*policy, "d", false) == Verdict::kHidden);
  CHECK(complete(*policy, "file:///public/{name}", true) == Verdict::kAllow);
  CHECK(complete(*policy, "file:///private/{name}", true) == Verdict::kHidden);
  const auto without_method = Bound(BotPolicy("  rules: [{allow: {prompts: [a]}}]"));
  CHECK(complete(*without_method, "a", false) == Verdict::kHidden);
}

TEST_CASE("a subscription needs its method and its uri", "[policy][call]") {
  const auto policy = Bound(
      BotPolicy("  rules: [{allow: {methods: [resources/subscribe], resources: [\"a:*\"]}}]"));
  CHECK(policy->EvaluateCall({.method = "resources/subscribe", .target = "a:b"}, kNow).verdict ==
        Verdict::kAllow);
  CHECK(policy->EvaluateCall({.method = "resources/subscribe", .target = "b:b"}, kNow).verdict ==
        Verdict::kHidden);
  CHECK(policy->EvaluateCall({.method = "resources/unsubscribe", .target = "a:b"}, kNow).verdict ==
        Verdict::kHidden);
}

TEST_CASE("dot segments are refused whatever is allowed", "[policy][call]") {
  const auto policy = Bound(BotPolicy("  rules: [{allow: {resources: [\"*\"]}}]"));
  CHECK(Read(*policy, "file:///a/b").verdict == Verdict::kAllow);
  const CallDecision decision = Read(*policy, "file:///a/%2e%2e/b");
  CHECK(decision.verdict == Verdict::kDeny);
  CHECK(decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK_FALSE(policy->ShowsResource("file:///a/../b", kNow));
}

TEST_CASE("no spelling of a uri slips past a denial", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {resources: ["*"]}
    - deny: {resources: ["file:///secret/**"]})"));
  const char* uri = GENERATE("file:///secret/x", "FILE:///secret/x", "file:///%73ecret/x",
                             "file:///secret%2fx", "file:////secret/x", "file:///secret//x",
                             "file:///%2573ecret/x", "file:///secret\\x", "file:///secret\uff0fx",
                             "file:///\uff53ecret/x", "file:///sec\u00adret/x");
  INFO(uri);
  CHECK(Read(*policy, uri).verdict == Verdict::kDeny);
}

TEST_CASE("no spelling of a uri slips into an allowance", "[policy][call]") {
  const auto policy = Bound(BotPolicy("  rules: [{allow: {resources: [\"file:///public/*\"]}}]"));
  const char* uri =
      GENERATE("file:///public/a%2fb", "file:///public/a%5cb", "file:///public/a%252fb",
               "file:///publi%63x/a", "file:///publicx/a", "file:///public/a\u2215b");
  INFO(uri);
  CHECK(Read(*policy, uri).verdict != Verdict::kAllow);
}

TEST_CASE("arguments that a condition would read too long over are refused, whatever allows",
          "[policy][call]") {
  const std::string rule =
      GENERATE("    - deny: {tools: [t], when: [{path: /v, matches: \"a*\"}]}\n",
               "    - require_approval: {tools: [t], when: [{path: /v, matches: \"a*\"}], "
               "approvers: [okta:a]}\n",
               "    - allow: {tools: [t], when: [{path: /v, matches: \"a*\"}]}\n");
  const auto policy = Bound(BotPolicy("  rules:\n    - allow: {tools: [t]}\n" + rule));
  const CallDecision decision =
      Tool(*policy, "t", "{\"v\":\"" + std::string(CompiledCondition::kMaxReadBytes, 'x') + "\"}");
  CHECK(decision.verdict == Verdict::kDeny);
  CHECK(decision.reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
  CHECK(decision.detail.find("256 KiB") != std::string_view::npos);
}

TEST_CASE("lists show what could be used with the right arguments and approvals",
          "[policy][list]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {tools: [a, b], when: [{path: /x, equals: 1}]}
    - allow: {tools: [c, e], prompts: [p], resources: ["file:///public/**"]}
    - require_approval: {tools: [d], approvers: [okta:x]}
    - deny: {tools: [e]}
    - deny: {tools: [c], when: [{path: /x, equals: 1}]})"));
  CHECK(policy->ShowsTool("a", kNow));
  CHECK(policy->ShowsTool("c", kNow));
  CHECK(policy->ShowsTool("d", kNow));
  CHECK_FALSE(policy->ShowsTool("e", kNow));
  CHECK_FALSE(policy->ShowsTool("f", kNow));
  CHECK(policy->ShowsPrompt("p", kNow));
  CHECK_FALSE(policy->ShowsPrompt("q", kNow));
  CHECK(policy->ShowsResource("file:///public/x", kNow));
  CHECK_FALSE(policy->ShowsResource("file:///x", kNow));
  CHECK(policy->ShowsResourceTemplate("file:///public/{path}", kNow));
  CHECK(policy->ShowsResourceTemplate("file:///{path}", kNow));
  CHECK(policy->ShowsResourceTemplate("{+uri}", kNow));
  CHECK_FALSE(policy->ShowsResourceTemplate("file:///private/{path}", kNow));
  CHECK_FALSE(policy->ShowsResourceTemplate("http://{host}/", kNow));
}

TEST_CASE("what a server may ask of the client is denied unless named", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - allow: {server_requests: [elicitation, roots]}
    - deny: {server_requests: [roots]})"));
  CHECK(policy->EvaluateServerRequest("elicitation", kNow).verdict == Verdict::kAllow);
  CHECK(policy->EvaluateServerRequest("roots", kNow).verdict == Verdict::kDeny);
  CHECK(policy->EvaluateServerRequest("sampling", kNow).verdict == Verdict::kHidden);
  CHECK(policy->EvaluateServerRequest("", kNow).verdict == Verdict::kHidden);
}

TEST_CASE("a client may tell of changed roots where the server may ask for them",
          "[policy][call]") {
  constexpr std::string_view kMethod = "notifications/roots/list_changed";
  CHECK(Method(*Bound(BotPolicy("  rules: [{allow: {server_requests: [roots]}}]")), kMethod)
            .verdict == Verdict::kAllow);
  CHECK(Method(*Bound(BotPolicy("  rules: [{allow: {server_requests: [sampling]}}]")), kMethod)
            .verdict == Verdict::kHidden);
}

TEST_CASE("capabilities are those of which something can be used", "[policy][call]") {
  const auto of = [](const std::string& rules) {
    return Bound(BotPolicy("  rules: [" + rules + "]"))->capabilities(kNow);
  };
  CHECK(of("") == UsableCapabilities{});
  CHECK(of("{allow: {tools: [t]}}") == UsableCapabilities{.tools = true});
  CHECK(of("{require_approval: {tools: [t], approvers: [okta:x]}}") ==
        UsableCapabilities{.tools = true, .approved_tools = true});
  CHECK(of("{allow: {tools: [t]}}, {deny: {tools: [\"*\"]}}") == UsableCapabilities{});
  CHECK(of("{allow: {tools: [t]}}, {deny: {methods: [\"tools/*\"]}}") == UsableCapabilities{});
  CHECK(of("{allow: {tools: [t]}}, {deny: {tools: [\"t*\"]}}") ==
        UsableCapabilities{.tools = true});
  CHECK(of("{allow: {resources: [\"*\"], methods: [\"completion/*\", \"logging/*\"]}}") ==
        UsableCapabilities{.resources = true, .completions = true, .logging = true});
  CHECK(of("{allow: {methods: [\"completion/*\"]}}") == UsableCapabilities{});
  CHECK(of("{allow: {resources: [\"*\"], methods: [\"resources/subscribe\"]}}") ==
        UsableCapabilities{.resources = true, .subscriptions = true});
  CHECK(of("{allow: {methods: [\"resources/*\", \"tasks/*\"]}}") == UsableCapabilities{});
  CHECK(of("{allow: {tools: [t], methods: [tasks/get, tasks/list]}}") ==
        UsableCapabilities{.tools = true, .task_extension = true});
  CHECK(of("{allow: {tools: [t], methods: [tasks/get, tasks/result]}}") ==
        UsableCapabilities{.tools = true, .tasks = true, .task_extension = true});
  CHECK(of("{allow: {tools: [t], methods: [\"tasks/*\"]}}, {deny: {methods: [tasks/list]}}") ==
        UsableCapabilities{
            .tools = true, .tasks = true, .task_cancel = true, .task_extension = true});
  CHECK(of("{allow: {server_requests: [sampling, elicitation, roots]}}") ==
        UsableCapabilities{.sampling = true, .elicitation = true, .roots = true});
}

TEST_CASE("whom no policy names has nothing, not even a ping", "[policy][call]") {
  const auto policy = SessionPolicy::Bind(Compiled(BotPolicy(kExample)), Person("x"), "wiki");
  CHECK(policy->is_empty());
  const CallDecision ping = Method(*policy, "ping");
  CHECK(ping.verdict == Verdict::kHidden);
  CHECK(ping.reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(Tool(*policy, "echo").verdict == Verdict::kHidden);
  CHECK_FALSE(policy->ShowsTool("echo", kNow));
  CHECK(policy->mask_names() == std::vector<std::string>{"secrets"});
  CHECK(policy->recording_content() == types::v1::RECORDING_CONTENT_MASKED);
}

TEST_CASE("masks add up, and a silent policy masks secrets", "[policy][call]") {
  CHECK(Bound(BotPolicy(""))->mask_names() == std::vector<std::string>{"secrets"});
  CHECK(Bound(BotPolicy("  mask: [pii, aws]", "a") + "---\n" + BotPolicy("  mask: [pii]", "b"))
            ->mask_names() == std::vector<std::string>{"aws", "pii"});
  CHECK(Bound(BotPolicy("  mask: [pii]", "a") + "---\n" + BotPolicy("", "b"))->mask_names() ==
        std::vector<std::string>{"pii", "secrets"});
}

TEST_CASE("content is left out of a recording only if every policy says so", "[policy][call]") {
  const std::string none = BotPolicy("  recording: {content: none}", "a");
  CHECK(Bound(none)->recording_content() == types::v1::RECORDING_CONTENT_NONE);
  CHECK(Bound(none + "---\n" + BotPolicy("", "b"))->recording_content() ==
        types::v1::RECORDING_CONTENT_MASKED);
}

TEST_CASE("a session's policy outlives the set it came from, and a decision both",
          "[policy][call]") {
  CallDecision decision;
  {
    std::shared_ptr<const SessionPolicy> policy;
    {
      auto compiled = Compiled(BotPolicy(kExample));
      policy = SessionPolicy::Bind(compiled, Bot(), "wiki");
    }
    decision = Tool(*policy, "drop-table");
  }
  CHECK(decision.policy == "p");
  CHECK(decision.verdict == Verdict::kDeny);
}

// What the bot may do with a token of `scopes` in a session that one of `opened` opened.
std::shared_ptr<const SessionPolicy> Later(std::string_view yaml,
                                           std::initializer_list<const char*> scopes,
                                           std::initializer_list<const char*> opened) {
  return SessionPolicy::Bind(Compiled(yaml), Bot(scopes), Bot(opened), "wiki");
}

std::string ScopePolicy(const std::string& scope, const std::string& more) {
  return "kind: Policy\nname: " + scope + "\nspec:\n  principals: [{realm: okta, scopes: [" +
         scope + "]}]\n  servers: [wiki]\n  " + more + "\n";
}

TEST_CASE(
    "a later token gives a session no right that it was not opened with, and keeps none that "
    "it has not itself",
    "[policy][call]") {
  const std::string yaml = ScopePolicy("read", "rules: [{allow: {tools: [look]}}]") + "---\n" +
                           ScopePolicy("write", "rules: [{allow: {tools: [change]}}]");
  const auto verdict = [&](const SessionPolicy& policy, const char* tool) {
    CHECK(policy.ShowsTool(tool, kNow) ==
          (policy.EvaluateCall({.method = "tools/call", .target = tool}, kNow).verdict ==
           Verdict::kAllow));
    return policy.EvaluateCall({.method = "tools/call", .target = tool}, kNow).verdict;
  };
  for (const auto& policy :
       {Later(yaml, {"read", "write"}, {"read"}), Later(yaml, {"read"}, {"read", "write"})}) {
    CHECK(verdict(*policy, "look") == Verdict::kAllow);
    CHECK(verdict(*policy, "change") == Verdict::kHidden);
    CHECK(policy->policy_names() == std::vector<std::string>{"read"});
  }
  const auto neither = Later(yaml, {"write"}, {"read"});
  CHECK(verdict(*neither, "look") == Verdict::kHidden);
  CHECK(verdict(*neither, "change") == Verdict::kHidden);
  CHECK(neither->is_empty());
  const auto same = Later(yaml, {"write", "read"}, {"read", "write"});
  CHECK(verdict(*same, "look") == Verdict::kAllow);
  CHECK(verdict(*same, "change") == Verdict::kAllow);
}

TEST_CASE("what restricts one of a session's tokens restricts the session", "[policy][call]") {
  const std::string yaml =
      ScopePolicy("read", "rules: [{allow: {tools: [\"*\"]}}]") + "---\n" +
      ScopePolicy("suspended",
                  "rules: [{deny: {tools: [change]}}, {allow: {tools: [other]}}, "
                  "{require_approval: {tools: [drop], approvers: [\"okta:leads\"]}}]\n"
                  "  mask: [pii]\n  session: {limits: [{per: session, concurrent: 2}]}");
  for (const auto& policy : {Later(yaml, {"read", "suspended"}, {"read"}),
                             Later(yaml, {"read"}, {"read", "suspended"})}) {
    const auto judge = [&](const char* tool) {
      return policy->EvaluateCall({.method = "tools/call", .target = tool}, kNow);
    };
    CHECK(judge("look").verdict == Verdict::kAllow);
    CHECK(judge("change").verdict == Verdict::kDeny);
    // Nobody can be asked about it: the session is not one of those who would be.
    CHECK(judge("drop").verdict == Verdict::kDeny);
    CHECK(judge("drop").policy == "suspended");
    CHECK_FALSE(policy->ShowsTool("change", kNow));
    CHECK(policy->mask_names() == std::vector<std::string>{"pii", "secrets"});
    REQUIRE(policy->limits().size() == 1);
    CHECK(policy->limits().front().concurrent() == 2);
  }
}

TEST_CASE("what reads a cut place asks, and neither denies nor withholds", "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  session: {approval: {approvers: [okta:leads]}}
  rules:
    - allow: {tools: [refund]}
    - allow: {tools: [pay], when: [{path: /to, matches: "[a-z]+@example\\.com"}]}
    - require_approval: {tools: [mail, refund], when: [{path: /to, matches: "[a-z]+@example\\.com"}], approvers: [okta:a, okta:b], expires_after: 9m}
    - require_approval: {tools: [mail], when: [{path: /to/x, exists: true}, {path: /n, max: 5}], approvers: [okta:b, okta:c], count: 2, expires_after: 5m}
    - deny: {tools: [refund], when: [{path: /to, exists: true}]}
    - deny: {tools: [refund], when: [{path: /n, min: 100}]})"));
  const std::string masked = R"({"to":"[REDACTED:email, 17 characters]","n":1})";
  const auto judge = [&](std::string_view tool, std::vector<ArgumentPlace> cut,
                         std::string_view arguments) {
    return policy->EvaluateCall(
        {.method = "tools/call", .target = tool, .arguments = arguments, .cut = cut}, kNow);
  };
  CHECK(judge("mail", {}, masked).reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
  // The strictest of those that could ask: both, as far as anybody knows.
  const CallDecision mail = judge("mail", {{"to"}}, masked);
  CHECK(mail.verdict == Verdict::kRequireApproval);
  CHECK(mail.approvers == std::vector<std::string>{"okta:b"});
  CHECK(mail.count == 2);
  CHECK(mail.expires_after == absl::Minutes(5));
  // What is known is held against its condition as ever.
  const CallDecision large = judge("mail", {{"to"}}, R"({"to":"[...]","n":6})");
  CHECK(large.approvers == std::vector<std::string>{"okta:a", "okta:b"});
  CHECK(large.count == 1);
  CHECK(judge("refund", {}, masked).verdict == Verdict::kDeny);
  CHECK(judge("refund", {{"to"}}, masked).verdict == Verdict::kRequireApproval);
  CHECK(judge("refund", {{"to", "deep"}}, masked).verdict == Verdict::kRequireApproval);
  CHECK(judge("refund", {{"*"}}, masked).verdict == Verdict::kRequireApproval);
  CHECK(judge("refund", {{}}, masked).verdict == Verdict::kRequireApproval);
  CHECK(judge("refund", {{"to"}}, R"({"n":100})").verdict == Verdict::kDeny);
  CHECK(judge("refund", {{"other"}}, masked).verdict == Verdict::kDeny);
  CHECK(judge("pay", {{"to"}}, masked).verdict == Verdict::kAllow);
  CHECK(judge("pay", {{"n"}}, masked).verdict == Verdict::kDeny);
  // A tool that no rule names is none, whatever was cut.
  CHECK(judge("other", {{}}, masked).verdict == Verdict::kHidden);
}

TEST_CASE("rules that could ask and have no approver in common let nobody decide",
          "[policy][call]") {
  const auto policy = Bound(BotPolicy(R"(  rules:
    - require_approval: {tools: [mail], when: [{path: /to, equals: a}], approvers: [okta:a], expires_after: 5m}
    - require_approval: {tools: [mail], when: [{path: /to, equals: b}], approvers: [okta:b], expires_after: 5m})"));
  const std::vector<ArgumentPlace> cut = {{"to"}};
  const CallDecision decision = policy->EvaluateCall(
      {.method = "tools/call", .target = "mail", .arguments = R"({"to":"x"})", .cut = cut}, kNow);
  CHECK(decision.verdict == Verdict::kDeny);
  CHECK(decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED);
}

TEST_CASE("what an allowing rule for one of a session's tokens asks is asked of what passes",
          "[policy][call]") {
  const std::string yaml =
      ScopePolicy("read", "rules: [{allow: {tools: [refund, look]}}]") + "---\n" +
      ScopePolicy("careful",
                  "rules: [{allow: {tools: [refund, other], once: {by: [/id]}, on_unknown: deny, "
                  "limit: {count: /items, per_call: 2, per_window: 9}}}]");
  for (const auto& policy :
       {Later(yaml, {"read", "careful"}, {"read"}), Later(yaml, {"read"}, {"read", "careful"})}) {
    const auto judge = [&](const char* tool, const char* arguments) {
      return policy->EvaluateCall({.method = "tools/call", .target = tool, .arguments = arguments},
                                  kNow);
    };
    const CallDecision refund = judge("refund", R"({"id":1,"items":[1,2]})");
    CHECK(refund.verdict == Verdict::kAllow);
    CHECK(refund.policy == "read");
    REQUIRE(refund.once.size() == 1);
    CHECK(refund.once[0].policy == "careful");
    CHECK(refund.on_unknown == types::v1::ON_UNKNOWN_DENY);
    CHECK(refund.limits.size() == 1);
    CHECK(judge("refund", R"({"id":1,"items":[1,2,3]})").reason ==
          types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
    CHECK(judge("refund", "{}").verdict == Verdict::kDeny);
    CHECK(judge("other", R"({"id":1,"items":[]})").verdict == Verdict::kHidden);
    CHECK(judge("look", "{}").verdict == Verdict::kAllow);
    CHECK(judge("look", "{}").once.empty());
  }
}

}  // namespace
}  // namespace sallyport
