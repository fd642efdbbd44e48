#include "absl/time/clock.h"
#include "common/policy/explain.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

std::vector<std::string> Changes(const std::string& yaml, const Question& question) {
  const auto explained = Explain(Compiled(yaml), Bot(), "wiki", "", question, kNow);
  return {explained.changes().begin(), explained.changes().end()};
}

std::vector<std::string> OfTool(const std::string& yaml, std::string_view tool,
                                std::string_view arguments = "") {
  return Changes(yaml, {.call = {.method = "tools/call", .target = tool, .arguments = arguments}});
}

using Sentences = std::vector<std::string>;

TEST_CASE("a rule is no change where the call is refused without it, too", "[policy][explain]") {
  const std::string rules = "  rules: [{deny: {tools: [drop, get]}}, {allow: {tools: [get]}}]";
  CHECK(OfTool(BotPolicy(rules), "drop") ==
        Sentences{"without rules[0] of p, and an allow rule that names it among `tools`, in p: "
                  "allow"});
  CHECK(OfTool(BotPolicy(rules), "get") ==
        Sentences{"without rules[0] of p: allow, by rules[1] of p"});
  const std::string more = "---\n" + BotPolicy("  rules: [{deny: {tools: [get]}}]", "q");
  CHECK(OfTool(BotPolicy(rules) + more, "get") ==
        Sentences{"without rules[0] of p, and without rules[0] of q: allow, by rules[1] of p"});
}

TEST_CASE("arguments are a change only where the rule would then let the call through",
          "[policy][explain]") {
  const std::string when = "{tools: [t], when: [{path: /env, in: [dev]}]}";
  const std::string allow = "  rules: [{allow: " + when + "}";
  CHECK(OfTool(BotPolicy(allow + "]"), "t") ==
        Sentences{"arguments for which the conditions of rules[0] of p hold"});
  // A rule of the same effect lets it through, so that nothing comes of leaving out one.
  CHECK(
      OfTool(BotPolicy(allow + ", {allow: {tools: [\"t*\"]}}]"), "t", R"({"env":"dev"})").empty());
  CHECK(OfTool(BotPolicy("  rules: [{allow: {tools: [t], limit: {count: /i, per_call: 1}}}]"), "t",
               R"({"i":[1,2]})") ==
        Sentences{"fewer objects in one call, as the limit of rules[0] of p says"});
}

TEST_CASE("an argument is named that once or limit reads and the call lacks", "[policy][explain]") {
  const std::string once =
      BotPolicy("  rules: [{allow: {tools: [t], once: {by: [/id, /to], within: 1h}}}]");
  CHECK(OfTool(once, "t", R"({"id":1})") ==
        Sentences{"arguments that have /id and /to, by which rules[0] of p lets a call pass once"});
  CHECK(OfTool(once, "t", R"({"id":1,"id":2,"to":3})") ==
        Sentences{"arguments that can be read in one way alone"});
  CHECK(OfTool(BotPolicy("  rules: [{allow: {tools: [t], limit: {count: /i, per_call: 1}}}]"),
               "t") == Sentences{"arguments that have /i, whose objects rules[0] of p counts"});
}

TEST_CASE("what no rule could let through has no change", "[policy][explain]") {
  CHECK(Changes(BotPolicy("  rules: []"),
                {.call = {.method = "resources/read", .target = "file:///a/../etc/passwd"}})
            .empty());
  CHECK(Changes(BotPolicy("  rules: []"), {.server_request = "samplin"}).empty());
}

TEST_CASE("an allow rule is named where it would let the call through", "[policy][explain]") {
  const std::string night = BotPolicy("  rules: []") + "---\n" +
                            BotPolicy(
                                "  hours: [{from: \"09:00\", to: \"17:00\", zone: UTC}]\n"
                                "  rules: []",
                                "night");
  CHECK(OfTool(night, "t") == Sentences{"an allow rule that names it among `tools`, in p"});
  CHECK(Changes(night, {.server_request = "roots"}) ==
        Sentences{"an allow rule that names it among `server_requests`, in p"});
  CHECK(Changes(BotPolicy("  rules: []"),
                {.call = {.method = "completion/complete", .target = "greet"}}) ==
        Sentences{"an allow rule that names it among `methods`, in p, and an allow rule that names "
                  "it among `prompts`, in p: allow"});
}

TEST_CASE("all that shuts an opening is named together", "[policy][explain]") {
  const std::string locks =
      "---\nkind: Lock\nname: a\nspec: {}\n---\nkind: Lock\nname: b\nspec: {server: wiki}\n";
  CHECK(Changes(BotPolicy("  hours: [{from: \"09:00\", to: \"17:00\", zone: UTC}]") + locks, {}) ==
        Sentences{"deleting lock a, and deleting lock b, and the hours of p: allow"});
  CHECK(Changes("kind: Policy\nname: git\nspec: {principals: [{realm: okta}], servers: [git]}\n",
                {}) == Sentences{"a policy for server wiki that names the principal"});
  const std::string others =
      "kind: Policy\nname: people\nspec: {principals: [{realm: okta, groups: [x]}], servers: "
      "[wiki], session: {approval: {approvers: [\"okta:x\"]}}}\n";
  CHECK(Changes(others, {}) ==
        Sentences{"an entry in `principals` of people that names the principal: "
                  "require_approval"});
}

// `policies` outside of their hours, each with so many rules for tool `t` and one for `u`.
std::string ManyAtNight(int policies, int rules) {
  std::string yaml;
  for (int i = 0; i < policies; ++i) {
    std::string spec = "  hours: [{from: \"09:00\", to: \"17:00\", zone: UTC}]\n  rules:\n";
    for (int j = 0; j < rules; ++j) spec += "    - allow: {tools: [t]}\n";
    spec += "    - allow: {tools: [u" + std::to_string(i) + "]}\n";
    yaml += "---\n" + BotPolicy(spec, "p" + std::to_string(100 + i));
  }
  return yaml;
}

TEST_CASE("of many policies outside of their hours some are tried, and the rest are counted",
          "[policy][explain]") {
  const Sentences of_all = OfTool(ManyAtNight(200, 1), "t");
  REQUIRE(of_all.size() == 17);
  CHECK(of_all.front() == "the hours of p100");
  CHECK(of_all.back() == "maybe the hours of 184 more policies, which were not tried");
  // Of a call those that speak for it.
  const std::string open = "---\n" + BotPolicy("  rules: []", "x");
  CHECK(OfTool(ManyAtNight(200, 1) + open, "u150") == Sentences{"the hours of p250"});
  // None by itself.
  const std::string deny = "---\n" + BotPolicy("  rules: [{deny: {tools: [t]}}]", "x");
  const Sentences none = OfTool(ManyAtNight(100, 1) + deny, "t");
  REQUIRE(none.size() == 2);
  CHECK(none.front() ==
        "without rules[0] of x, and the hours of p100 or p101 or p102 or p103 or p104 or p105 or "
        "p106 or p107 or p108 or p109 or p110 or p111 or p112 or p113 or p114 or p115: allow, by "
        "rules[0] of p100");
  CHECK(none.back() == "maybe the hours of 36 more policies, which were not tried");
}

TEST_CASE("what would change an answer is found in bounded time", "[policy][explain]") {
  const std::string open = "---\n" + BotPolicy("  rules: []", "x");
  const auto begun = absl::Now();
  for (const auto& policies :
       {Compiled(ManyAtNight(300, 60)), Compiled(ManyAtNight(300, 60) + open)}) {
    for (const std::string_view tool : {"t", "u7", "none"}) {
      Explain(policies, Bot(), "wiki", "", {.call = {.method = "tools/call", .target = tool}},
              kNow);
    }
  }
  CHECK(absl::Now() - begun < absl::Seconds(30));
}

TEST_CASE("an approval that nobody could give is no change", "[policy][explain]") {
  const std::string yaml =
      "kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, owners: [\"okta:x\"]}]\n"
      "  servers: [wiki]\n  session: {approval: {approvers: [\"okta:x\"]}}\n";
  CHECK(Changes(yaml, {}).empty());
}

TEST_CASE("rules keep their numbers whatever is left out", "[policy][explain]") {
  CHECK(OfTool(BotPolicy("  rules: [{deny: {tools: [t]}}, {deny: {tools: [t]}}, {allow: {tools: "
                         "[t]}}]"),
               "t") == Sentences{"without rules[0] of p, and without rules[1] of p: allow, by "
                                 "rules[2] of p"});
}

}  // namespace
}  // namespace sallyport
