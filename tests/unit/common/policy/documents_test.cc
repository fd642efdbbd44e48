#include "common/policy/documents.h"

#include "common/policy/detectors.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

using Catch::Matchers::Contains;

std::string ErrorOf(std::string_view yaml) {
  const auto documents = ParseDocuments(yaml, "f.yaml");
  if (documents.ok()) return "";
  CHECK(documents.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(documents.status().message());
}

TEST_CASE("documents keep their kind, name and source", "[policy][documents]") {
  const auto documents = Parsed(
      "# a comment\n" + BotPolicy("  rules: [{allow: {tools: [t]}}]") +
      "---\nkind: MaskProfile\nname: house\nspec: {detectors: [secrets, card], operators: {card: "
      "{keep_last: 4}, default: replace}, patterns: [{name: ticket, re2: \"TCK-[0-9]{8}\"}], "
      "fields: [{keys: [ssn]}, {pointer: /rows/*/salary, operator: drop}]}\n"
      "---\nkind: Lock\nname: end-ses_abc\nspec: {}\n");
  REQUIRE(documents.size() == 3);
  CHECK(documents[0].kind() == types::v1::DOCUMENT_KIND_POLICY);
  CHECK(documents[0].name() == "p");
  CHECK_THAT(documents[0].source(), Contains("kind: Policy") && !Contains("MaskProfile"));
  CHECK(documents[1].mask_profile().operators().at("card").keep_last() == 4);
  CHECK(documents[2].has_lock());
}

TEST_CASE("the sample documents of the architecture are understood", "[policy][documents]") {
  CHECK(ErrorOf(R"(kind: Policy
name: deploy-bots
spec:
  principals:
    - {realm: okta, client_ids: [0oa1deploy], scopes: [mcp.use], owners: [okta:deploy-team]}
    - {realm: okta, groups: [deployers]}
  servers: [everything, "wiki-*"]
  session: {open: connect, bind: address, on_control_plane_loss: continuity, lease: 5m, max_duration: 15m, idle_timeout: 2m,
            disconnect_grace: 30s, max_calls: 200,
            approval: {approvers: [okta:approvers], count: 1, expires_after: 10m}}
  rules:
    - allow: {tools: ["get-*", echo], resources: ["file:///public/**"], prompts: ["*"], methods: ["logging/*", "completion/*"]}
    - allow: {tools: [deploy], when: [{path: /env, in: [staging, dev]}]}
    - allow: {server_requests: [elicitation]}
    - require_approval: {tools: ["delete-*"], approvers: [okta:approvers], count: 2, expires_after: 5m}
    - allow: {tools: [refund], once: {by: [/payment_id], within: 24h}, limit: {count: /items, per_call: 10, per_window: 100}, on_unknown: ask}
    - deny: {tools: ["drop-*"]}
  mask: [secrets, pii]
  recording: {content: masked}
  observe_until: 2026-12-31T00:00:00Z
---
kind: Server
name: wiki
spec: {owner: okta:wiki-team, labels: {tier: prod}, pin: hold}
)") == "");
}

TEST_CASE("an unknown key is named with file, line and place", "[policy][documents]") {
  CHECK_THAT(ErrorOf("kind: Policy\nname: p\nspec:\n  principals: [{realm: r}]\n  servrs: [a]\n"),
             Contains("f.yaml:5:") && Contains("\"servrs\""));
  CHECK_THAT(
      ErrorOf("kind: Lock\nname: l\nspec: {}\n---\nkind: Lock\nname: m\nspec:\n  serve: x\n"),
      Contains("f.yaml:8:") && Contains("\"serve\""));
}

TEST_CASE("documents of a kind we do not apply are refused", "[policy][documents]") {
  CHECK_THAT(ErrorOf("kind: PolicyTest\npolicies: []\n"), Contains("policy test"));
  CHECK_THAT(ErrorOf("kind: Polcy\nname: x\nspec: {}\n"), Contains("Polcy"));
  CHECK_THAT(ErrorOf("kind: mask-profile\nname: x\nspec: {}\n"), Contains("mask-profile"));
}

TEST_CASE("a test of arguments that no agent takes is refused", "[policy][documents]") {
  const auto test = ParsePolicyTest(R"(kind: PolicyTest
policies: [p.yaml]
cases:
  - name: a
    principal: {realm: r, kind: service, client_id: b}
    call: {server: s, tool: t, arguments_json: '{"a":1,"b":{"c":1,"c":2}}'}
    expect: {decision: allow}
)",
                                    "t.yaml");
  REQUIRE_FALSE(test.ok());
  CHECK_THAT(std::string(test.status().message()),
             Contains("t.yaml:6:") && Contains("no agent takes them: a member name is repeated"));
}

TEST_CASE("a policy that does not mean one thing is refused", "[policy][documents]") {
  struct Row {
    std::string yaml;
    std::string says;
  };
  const auto row = GENERATE(values<Row>({
      {"kind: Policy\nname: p\nspec: {servers: [a]}\n", "principals"},
      {"kind: Policy\nname: p\nspec: {principals: [{realm: r}]}\n", "servers"},
      {"kind: Policy\nname: p\nspec: {principals: [{subjects: [r]}], servers: [a]}\n", "realm"},
      {"kind: Policy\nname: p\nspec: {principals: [{realm: r, groups: [\"r:g\"]}], servers: [a]}\n",
       "without the realm"},
      {"kind: Policy\nname: p\nspec: {principals: [{realm: r, claims: {}}], servers: [a]}\n",
       "principals[0].claims: the mapping is empty; name something, or leave the key out"},
      {"kind: Policy\nname: p\nspec: {principals: [{realm: r, owners: [g]}], servers: [a]}\n",
       "owners"},
      {"kind: Policy\nname: P\nspec: {principals: [{realm: r}], servers: [a]}\n", "name"},
      {BotPolicy("  rules: [{allow: {tools: [t], when: [{path: /x, matches: \"\"}]}}]"),
       "matches: expected a text that is not empty, or no such key"},
      {BotPolicy("  rules: [{}]"), "exactly one"},
      {BotPolicy("  rules: [{allow: {tools: [a]}, deny: {tools: [b]}}]"), "exactly one"},
      {BotPolicy("  rules: [{allow: {}}]"), "rules[0].allow"},
      {BotPolicy("  rules: [{allow: {tools: [\"\"]}}]"), "empty pattern"},
      {BotPolicy("  rules: [{allow: {tools: [a], prompts: [b], when: [{path: /x, equals: 1}]}}]"),
       "beside tools"},
      {BotPolicy("  rules: [{allow: {resources: [\"a:*\"], when: [{path: /x, equals: 1}]}}]"),
       "beside tools"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{equals: 1}]}}]"), "when[0]"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: x, equals: 1}]}}]"), "pointer"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x}]}}]"), "exactly one"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, equals: 1, in: [1]}]}}]"),
       "exactly one"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, matches: \"(\"}]}}]"), "RE2"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, matches: '(?!a)'}]}}]"), "RE2"},
      {BotPolicy("  rules: [{require_approval: {tools: [a]}}]"), "approvers is missing"},
      {BotPolicy("  rules: [{require_approval: {tools: [a], approvers: [bob]}}]"), "realm:group"},
      {BotPolicy("  rules: [{allow: {tools: [a], approvers: [okta:x]}}]"), "require_approval only"},
      {BotPolicy("  rules: [{allow: {methods: [tools/call]}}]"), "naming tools"},
      {BotPolicy("  rules: [{allow: {methods: [\"tools/*\"]}}]"), "naming tools"},
      {BotPolicy("  rules: [{allow: {methods: [resources/read]}}]"), "naming resources"},
      {BotPolicy("  rules: [{deny: {methods: [tools/list]}}]"), "takes no rule"},
      {BotPolicy("  rules: [{allow: {server_requests: [ping]}}]"), "server_requests"},
      {BotPolicy("  rules: [{allow: {resources: [\"file:///a/../b\"]}}]"), "dot segment"},
      {BotPolicy("  session: {max_duration: 25h}"), "session.max_duration"},
      {BotPolicy("  session: {max_duration: 0s}"), "session.max_duration"},
      {BotPolicy("  session: {idle_timeout: 500ms}"), "session.idle_timeout"},
      {BotPolicy("  session: {disconnect_grace: 2h}"), "session.disconnect_grace"},
      {BotPolicy("  session: {approval: {count: 1}}"), "approvers"},
      {BotPolicy("  session: {approval: {approvers: [okta:x], expires_after: 48h}}"),
       "expires_after"},
      {BotPolicy("") + "---\n" + BotPolicy(""), "second document"},
      {BotPolicy("  session: {lease: 4s}"), "session.lease"},
      {BotPolicy("  session: {approval: {approvers: [okta:x], count: 21}}"),
       "session.approval.count"},
      {BotPolicy("  session: {break_glass: {groups: [okta:x]}}"), "beside approval"},
      {BotPolicy("  session: {approval: {approvers: [okta:x]}, break_glass: {max_duration: 1h}}"),
       "groups is missing"},
      {BotPolicy("  session: {approval: {approvers: [okta:x]}, break_glass: {groups: [x]}}"),
       "session.break_glass.groups"},
      {BotPolicy("  session: {limits: [{calls: 1, within: 1m}]}"), "per is missing"},
      {BotPolicy("  session: {limits: [{per: session}]}"), "session.limits[0]"},
      {BotPolicy("  session: {limits: [{per: session, calls: 1}]}"), "within is missing"},
      {BotPolicy("  session: {limits: [{per: session, within: 1m}]}"), "calls is missing"},
      {BotPolicy("  session: {limits: [{per: session, calls: 1, within: 1m, concurrent: 1}]}"),
       "either"},
      {BotPolicy("  session: {limits: [{per: session, calls: 1, within: 1m}, {per: session, calls: "
                 "2, within: 60s}]}"),
       "session.limits[1]: a second"},
      {BotPolicy("  session: {limits: [{per: session, calls: 1, within: 25h}]}"),
       "session.limits[0].within"},
      {BotPolicy("  hours: [{from: \"08:00\", to: \"17:00\"}]"), "hours[0]: zone"},
      {BotPolicy("  hours: [{from: \"08:00\", to: \"17:00\", zone: Europe/Atlantis}]"),
       "Europe/Atlantis"},
      {BotPolicy("  hours: [{from: \"08:00\", to: \"17:00\", zone: \"Fixed/UTC+01:00:00\"}]"),
       "IANA"},
      {BotPolicy("  hours: [{from: \"8:00\", to: \"17:00\", zone: UTC}]"), "hours[0]: from"},
      {BotPolicy("  hours: [{from: \"24:00\", to: \"17:00\", zone: UTC}]"), "hours[0]: from"},
      {BotPolicy("  hours: [{from: \"08:00\", to: \"24:01\", zone: UTC}]"), "hours[0]: to"},
      {BotPolicy("  hours: [{from: \"08:00\", to: \"08:00\", zone: UTC}]"), "hours[0]: to"},
      {BotPolicy("  hours: [{days: [monday], from: \"08:00\", to: \"17:00\", zone: UTC}]"), "mon,"},
      {BotPolicy("  rules: [{allow: {tools: [a], once: {}}}]"), "by is missing"},
      {BotPolicy("  rules: [{allow: {tools: [a], once: {by: [id]}}}]"), "once.by"},
      {BotPolicy("  rules: [{allow: {tools: [a], once: {by: [/id, /id]}}}]"), "twice"},
      {BotPolicy("  rules: [{deny: {tools: [a], once: {by: [/id]}}}]"), "once, limit"},
      {BotPolicy("  rules: [{allow: {prompts: [a], once: {by: [/id]}}}]"), "beside tools"},
      {BotPolicy("  rules: [{allow: {tools: [a], limit: {count: /items}}}]"), "per_call"},
      {BotPolicy("  rules: [{allow: {tools: [a], limit: {per_call: 1}}}]"), "limit.count"},
      {BotPolicy("  rules: [{allow: {tools: [a], limit: {count: /i, per_call: 1, window: 1h}}}]"),
       "limit.window"},
      {BotPolicy("  rules: [{allow: {tools: [a], on_unknown: ask}}]"), "nobody to ask"},
      {BotPolicy("  rules: [{deny: {tools: [a], on_unknown: deny}}]"), "on_unknown"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, min: 2, max: 1}]}}]"),
       "above max"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, min: \"2\"}]}}]"), "no number"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, each: {exists: true}}]}}]"),
       "each: exists"},
      {BotPolicy("  rules: [{allow: {tools: [a], when: [{path: /x, each: {}}]}}]"),
       "each: needs exactly one"},
      {BotPolicy("  rules: [{require_approval: {server_requests: [roots], approvers: [okta:x]}}]"),
       "nobody is asked"},
      {"kind: Policy\nname: p\nspec: {principals: [{realm: r, claims: {d: null}}], servers: [a]}\n",
       "claims"},
      {"kind: Server\nname: wiki\nspec: {owner: me}\n", "owner"},
      {"kind: Server\nname: wiki\nspec: {limits: [{per: session}]}\n", "limits[0]"},
      {"kind: Server\nname: wiki\nspec: {pin: no}\n", "hold, deny, ignore"},
  }));
  INFO(row.yaml);
  const std::string error = ErrorOf(row.yaml);
  CHECK_THAT(error, Contains("f.yaml:") && Contains(row.says));
}

TEST_CASE("what is wrong is named with the line on which it stands", "[policy][documents]") {
  const auto error =
      ErrorOf("# a comment\n" + BotPolicy("  session:\n    max_duration: 5m\n    lease: 1s\n") +
              "---\n" + BotPolicy("", "q"));
  CHECK_THAT(error, Contains("f.yaml:9: Policy p: session.lease"));
  CHECK_THAT(ErrorOf(BotPolicy("", "q") + "---\n" +
                     BotPolicy("  rules:\n    - allow:\n        tools: [a]\n"
                               "        limit:\n          count: /x\n          window: 1h\n"
                               "          per_call: 1\n")),
             Contains("f.yaml:18: Policy p: rules[0].allow.limit.window"));
  CHECK_THAT(ErrorOf("kind: Server\nname: s\nspec:\n  pin: hold\n  owner: me\n"),
             Contains("f.yaml:5: Server s: owner"));
}

TEST_CASE("a mask profile that does not mean one thing is refused", "[policy][documents]") {
  struct Row {
    std::string spec;
    std::string says;
  };
  const auto row = GENERATE(values<Row>({
      {"{}", "looks for nothing"},
      {"{detectors: [nothing]}", "nothing"},
      {"{detectors: [aws], operators: {slak: drop}}", "slak"},
      {"{detectors: [aws], operators: {aws: erase}}", "erase"},
      {"{detectors: [aws], operators: {aws: {keep_last: 99}}}", "keep_last"},
      {"{fields: [{}]}", "exactly one"},
      {"{fields: [{keys: [a], pointer: /a}]}", "exactly one"},
      {"{fields: [{pointer: a}]}", "pointer"},
      {"{patterns: [{name: x, re2: \"(\"}]}", "RE2"},
      {"{patterns: [{name: x, re2: \"a*\"}]}", "empty string"},
      {"{patterns: [{name: x}]}", "re2 is missing"},
      {"{patterns: [{re2: a}]}", "name"},
      {"{patterns: [{name: aws, re2: a}]}", "taken"},
      {"{patterns: [{name: x, re2: a}, {name: x, re2: b}]}", "second"},
  }));
  INFO(row.spec);
  CHECK_THAT(ErrorOf("kind: MaskProfile\nname: m\nspec: " + row.spec + "\n"), Contains(row.says));
}

TEST_CASE("a profile may not take a detector's name", "[policy][documents]") {
  for (const DetectorName& detector : kDetectors) {
    CHECK(ErrorOf("kind: MaskProfile\nname: " + std::string(detector.name) +
                  "\nspec: {detectors: [aws]}\n") != "");
  }
}

TEST_CASE("a lock takes names and not patterns", "[policy][documents]") {
  CHECK_THAT(ErrorOf("kind: Lock\nname: l\nspec: {server: \"*\"}\n"), Contains("not patterns"));
  CHECK_THAT(ErrorOf("kind: Lock\nname: l\nspec: {principal: {subject: x}}\n"), Contains("realm"));
  for (const char* empty :
       {"{server: \"\"}", "{agent: ''}", "{principal: {realm: demo, client_id: \"\"}}",
        "{principal: {realm: demo, subject: \"\"}}", "{principal: {realm: demo, name: \"\"}}",
        "{server: }"}) {
    INFO(empty);
    CHECK_THAT(ErrorOf(std::string("kind: Lock\nname: l\nspec: ") + empty + "\n"),
               Contains("f.yaml:3: spec.") && Contains("expected a"));
  }
  CHECK_THAT(ErrorOf(R"({"kind": "Lock", "name": "l", "spec": {"server": ""}})"),
             Contains("spec.server: expected a text that is not empty, or no such key"));
}

TEST_CASE("a mask name must be a detector, a group or a profile there is", "[policy][documents]") {
  const auto documents = Parsed(BotPolicy("  mask: [secrets, card, house]"));
  CHECK(CheckMaskNames(documents, {"house"}).ok());
  const absl::Status status = CheckMaskNames(documents, {});
  CHECK_THAT(std::string(status.message()), Contains("Policy p") && Contains("house"));
}

TEST_CASE("a mask name that there is not is told with the file and the line",
          "[policy][documents]") {
  const std::string text =
      "kind: Lock\nname: l\nspec: {}\n---\n\n" + BotPolicy("  mask:\n    - secrets\n    - house");
  const auto documents = Parsed(text);
  const std::vector<NamedText> texts = {{"other.yaml", "kind: Policy\n"}, {"f.yaml", text}};
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<int>(text.find("- house")), '\n');
  CHECK_THAT(std::string(CheckMaskNames(documents, {}, texts).message()),
             Catch::Matchers::StartsWith("f.yaml:" + std::to_string(line) +
                                         ": Policy p: mask: \"house\" is no detector"));
}

TEST_CASE("a test of policies is read with the arguments' own types", "[policy][documents]") {
  const auto test = ParsePolicyTest(R"(kind: PolicyTest
policies: [p.yaml]
cases:
  - name: a deploy to production is refused
    principal: {realm: okta, kind: service, client_id: bot, scopes: [mcp.use]}
    call: {server: everything, method: tools/call, tool: deploy, arguments: {env: production, n: 1e3, deep: {list: [1, "1", yes]}}}
    expect: {decision: deny, reason: condition_failed}
)",
                                    "t.yaml");
  INFO(test.status());
  REQUIRE(test.ok());
  CHECK(test->cases(0).call().arguments_json() ==
        R"({"env":"production","n":1e3,"deep":{"list":[1,"1","yes"]}})");
}

TEST_CASE("what is wrong with a case of a test names the case's line", "[policy][documents]") {
  const std::string head = R"(# a comment
kind: PolicyTest
policies: [p.yaml]
cases:
  - name: one
    principal: {realm: r, kind: user, subject: s}
    call: {server: s}
    expect: {decision: allow}
)";
  const auto error = [&](const std::string& second) {
    return std::string(ParsePolicyTest(head + second, "t").status().message());
  };
  const std::string call = "    call: {server: s}\n";
  const std::string principal = "    principal: {realm: r, kind: user, subject: s}\n";
  CHECK(error("  - name: two\n" + call + principal +
              "    expect:\n      decision: deny\n      reason: because\n") ==
        "t:14: case \"two\": expect.reason: \"because\" is no denial reason");
  CHECK(error("  - name: two\n" + call + "    principal: {realm: r}\n    expect: {}\n") ==
        "t:11: case \"two\": principal.kind is missing: service or user");
  CHECK(error("  - name: two\n" + principal) == "t:9: case \"two\": call.server is missing");
  CHECK(error("  - call: {server: s}\n") == "t:9: cases[1]: name is missing");
}

TEST_CASE("a test that tests nothing is refused", "[policy][documents]") {
  const auto error = [](const std::string& test_case) {
    const auto test =
        ParsePolicyTest("kind: PolicyTest\npolicies: [p.yaml]\ncases: [" + test_case + "]\n", "t");
    return test.ok() ? std::string() : std::string(test.status().message());
  };
  const std::string head = "{name: n, principal: {realm: r, kind: user, subject: s}, ";
  CHECK(error(head + "call: {server: s}, expect: {decision: allow}}") == "");
  CHECK_THAT(error(""), Contains("cases"));
  CHECK_THAT(error(head + "call: {server: s}, expect: {decision: maybe}}"), Contains("decision"));
  CHECK_THAT(error(head + "call: {server: s}, expect: {decision: deny, reason: because}}"),
             Contains("because"));
  CHECK_THAT(error(head + "call: {server: s}, expect: {decision: allow, reason: locked}}"),
             Contains("reason"));
  CHECK_THAT(error(head + "call: {}, expect: {decision: allow}}"), Contains("server"));
  CHECK_THAT(error(head + "call: {server: s, tool: a, prompt: b}, expect: {decision: allow}}"),
             Contains("one of"));
  CHECK_THAT(error(head + "call: {server: s, tool: a, arguments: [1]}, expect: {decision: allow}}"),
             Contains("mapping"));
  CHECK_THAT(error(head + "cal: {server: s}}"), Contains("\"cal\""));
}

}  // namespace
}  // namespace sallyport
