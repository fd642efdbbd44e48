#include "tests/unit/common/policy/reference_model.h"

#include <map>
#include <random>

#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

constexpr int kPolicySets = 20'000;
constexpr int kCallsEach = 6;

// Draws policies and calls from alphabets so small that most draws meet.
class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  bool Chance(int percent) { return Below(100) < percent; }
  int Below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  template <class List>
  std::string One(const List& list) {
    return list[static_cast<size_t>(Below(static_cast<int>(std::size(list))))];
  }

  types::v1::Principal Principal() {
    types::v1::Principal principal;
    principal.set_realm(One(kRealms));
    principal.set_kind(Chance(50) ? types::v1::PRINCIPAL_KIND_USER
                                  : types::v1::PRINCIPAL_KIND_SERVICE);
    principal.set_subject(One(kWords));
    principal.set_client_id(One(kWords));
    for (const char* scope : kScopes) {
      if (Chance(60)) principal.add_scopes(scope);
    }
    for (const char* group : kWords) {
      if (Chance(30)) principal.add_groups(One(kRealms) + ":" + group);
    }
    return principal;
  }

  types::v1::PolicySpec Policy() {
    types::v1::PolicySpec policy;
    for (int i = 1 + Below(2); i > 0; --i) *policy.add_principals() = Match();
    for (int i = 1 + Below(2); i > 0; --i) policy.add_servers(One(kServerPatterns));
    auto& approval = *policy.mutable_session()->mutable_approval();
    for (int i = 1 + Below(2); i > 0; --i) approval.add_approvers(One(kApprovers));
    if (Chance(50)) approval.mutable_expires_after()->set_seconds(60 + Below(3));
    for (int i = Below(5); i > 0; --i) *policy.add_rules() = Rule();
    return policy;
  }

  std::string Server() { return One(kServers); }
  std::string Tool() { return One(kNames); }

  reference::Call Call(std::string& arguments) {
    reference::Call call;
    call.method = One(kMethods);
    if (call.method == "resources/read") {
      call.target = One(kUris);
    } else {
      call.target = One(kNames);
    }
    struct Literal {
      const char* json;
      reference::Value value;
    };
    using Kind = reference::Value::Kind;
    static const Literal kLiterals[] = {
        {"\"a\"", {Kind::kText, "a"}},           {R"("\u0061")", {Kind::kText, "a"}},
        {"\"ab\"", {Kind::kText, "ab"}},         {"\"1000\"", {Kind::kText, "1000"}},
        {"1000", {Kind::kNumber, "thousand"}},   {"1e3", {Kind::kNumber, "thousand"}},
        {"0.1E+4", {Kind::kNumber, "thousand"}}, {"-0", {Kind::kNumber, "zero"}},
        {"1000.5", {Kind::kNumber, "more"}},     {"true", {Kind::kFlag, "true"}},
        {"false", {Kind::kFlag, "false"}},       {"null", {Kind::kNull, ""}},
        {"[1000]", {Kind::kOther, ""}},          {"{\"v\":\"a\"}", {Kind::kOther, ""}}};
    const int pick = Below(static_cast<int>(std::size(kLiterals)) + 2);
    arguments = pick % 2 == 0 ? "{\"x\":{\"v\":1}}" : "";
    if (pick < static_cast<int>(std::size(kLiterals))) {
      call.argument = kLiterals[pick].value;
      arguments = std::string(R"({"x":[{"v":9}], "v" : )") + kLiterals[pick].json + "}";
    }
    return call;
  }

 private:
  types::v1::PrincipalMatch Match() {
    types::v1::PrincipalMatch match;
    match.set_realm(Chance(80) ? kRealms[0] : kRealms[1]);
    if (Chance(20)) match.set_kind(types::v1::PRINCIPAL_KIND_USER);
    if (Chance(25)) match.add_subjects(One(kWords));
    if (Chance(25)) match.add_client_ids(One(kWords));
    if (Chance(25)) match.add_groups(One(kWords));
    if (Chance(25)) match.add_scopes(One(kScopes));
    return match;
  }

  types::v1::Scalar Scalar() {
    types::v1::Scalar scalar;
    switch (Below(4)) {
      case 0:
        scalar.set_text(One(kTexts));
        break;
      case 1:
        scalar.set_number(One(kNumbers));
        break;
      case 2:
        scalar.set_flag(Chance(50));
        break;
      default:
        scalar.set_null(true);
    }
    return scalar;
  }

  types::v1::Condition Condition() {
    types::v1::Condition condition;
    condition.set_path("/v");
    switch (Below(4)) {
      case 0:
        *condition.mutable_equals() = Scalar();
        break;
      case 1:
        for (int i = 1 + Below(3); i > 0; --i) *condition.add_in() = Scalar();
        break;
      case 2:
        condition.set_matches(Chance(50) ? "a.*" : "[0-9]+");
        break;
      default:
        condition.set_exists(Chance(50));
    }
    return condition;
  }

  types::v1::Rule Rule() {
    types::v1::Rule rule;
    const int effect = Below(3);
    types::v1::RuleBody& body = effect == 0   ? *rule.mutable_allow()
                                : effect == 1 ? *rule.mutable_require_approval()
                                              : *rule.mutable_deny();
    if (effect == 1) {
      for (int i = Below(3); i > 0; --i) body.add_approvers(One(kApprovers));
      if (Chance(30)) body.mutable_expires_after()->set_seconds(50 + Below(40));
    }
    switch (Below(effect == 0 ? 5 : 6)) {
      case 0:
        body.add_resources(One(kUriPatterns));
        break;
      case 1:
        body.add_prompts(One(kNamePatterns));
        break;
      case 2:
        body.add_methods(One(kMethodPatterns));
        body.add_tools(One(kNamePatterns));
        break;
      case 5:
        body.add_methods("tools/*");
        break;
      default:
        body.add_tools(One(kNamePatterns));
        for (int i = Below(3); i > 0; --i) *body.add_when() = Condition();
    }
    return rule;
  }

  static constexpr const char* kRealms[] = {"r", "s"};
  static constexpr const char* kWords[] = {"a", "b"};
  static constexpr const char* kScopes[] = {"x", "y"};
  static constexpr const char* kServers[] = {"wiki", "wiki-2", "git"};
  static constexpr const char* kServerPatterns[] = {"wiki", "wiki*", "*", "git", "*i*"};
  static constexpr const char* kNames[] = {"get-a", "get-b", "drop", "", "a*b"};
  static constexpr const char* kNamePatterns[] = {"get-*", "*", "drop", "*-a", "g*t*b", "get-a"};
  static constexpr const char* kUris[] = {"f:///a", "f:///a/b", "f:///a/b/c", "f:///x", "g:a"};
  static constexpr const char* kUriPatterns[] = {"*",        "f:///*",     "f:///**", "f:///a/*",
                                                 "f:**/b/c", "f:///*/b**", "g:*"};
  static constexpr const char* kMethods[] = {"tools/call",  "tools/call", "resources/read",
                                             "prompts/get", "ping",       "tools/list",
                                             "vendor/x",    "vendor/y"};
  static constexpr const char* kMethodPatterns[] = {"vendor/*", "vendor/x", "*"};
  static constexpr const char* kApprovers[] = {"r:g", "r:h", "s:g"};
  static constexpr const char* kTexts[] = {"a", "ab", "1000", ""};
  static constexpr const char* kNumbers[] = {"1000", "1000.0", "0", "0.00", "100050e-2"};

  std::mt19937 random_;
};

reference::Decision InModelsWords(const CallDecision& decision) {
  reference::Decision words;
  words.reason = decision.reason;
  switch (decision.verdict) {
    case Verdict::kAllow:
      words.verdict = "allow";
      break;
    case Verdict::kRequireApproval:
      words.verdict = "approve";
      words.approvers = {decision.approvers.begin(), decision.approvers.end()};
      words.expires_seconds = absl::ToInt64Seconds(decision.expires_after);
      break;
    case Verdict::kDeny:
      words.verdict = "deny";
      break;
    case Verdict::kHidden:
      words.verdict = "hidden";
  }
  return words;
}

std::string Text(const std::vector<types::v1::PolicySpec>& policies) {
  std::string text;
  for (const auto& policy : policies) text += policy.DebugString() + "---\n";
  return text;
}

TEST_CASE("the evaluator and a model written from the description never differ",
          "[policy][reference]") {
  std::map<std::string, int> verdicts;
  int shown = 0;
  for (unsigned seed = 0; seed < kPolicySets; ++seed) {
    Draw draw(seed);
    std::vector<types::v1::PolicySpec> specs;
    std::vector<types::v1::Document> documents;
    for (int i = 1 + draw.Below(3); i > 0; --i) {
      specs.push_back(draw.Policy());
      types::v1::Document& document = documents.emplace_back();
      document.set_kind(types::v1::DOCUMENT_KIND_POLICY);
      document.set_name("p" + std::to_string(i));
      *document.mutable_policy() = specs.back();
    }
    const auto compiled = CompiledPolicies::Compile(documents);
    if (!compiled.ok()) FAIL(compiled.status() << "\n" << Text(specs));
    const types::v1::Principal principal = draw.Principal();
    const std::string server = draw.Server();
    const auto bound = SessionPolicy::Bind(*compiled, principal, server);
    for (int i = 0; i < kCallsEach; ++i) {
      std::string arguments;
      const reference::Call call = draw.Call(arguments);
      const reference::Decision expected = reference::Decide(specs, principal, server, call);
      const reference::Decision actual = InModelsWords(bound->EvaluateCall(
          {.method = call.method, .target = call.target, .arguments = arguments}, kNow));
      ++verdicts[expected.verdict];
      if (actual != expected) {
        FAIL("seed " << seed << ": " << call.method << " " << call.target << " " << arguments
                     << ": " << actual.verdict << " and not " << expected.verdict << "\n"
                     << Text(specs));
      }
    }
    const std::string tool = draw.Tool();
    const bool shows = reference::Shows(specs, principal, server, tool);
    shown += shows;
    if (bound->ShowsTool(tool, kNow) != shows) FAIL("seed " << seed << ": list\n" << Text(specs));
  }
  // The draws are worth something only when all answers occur often.
  for (const char* verdict : {"allow", "approve", "deny", "hidden"}) {
    INFO(verdict << ": " << verdicts[verdict]);
    CHECK(verdicts[verdict] > 3'000);
  }
  CHECK(shown > 1'000);
}

}  // namespace
}  // namespace sallyport
