#pragma once

#include <cstddef>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "common/policy/decision.h"
#include "sallyport/types/v1/policy.pb.h"
#include "tests/unit/common/policy/reference_model.h"

namespace sallyport {

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
    for (const char* name : kWords) {
      if (Chance(50)) continue;
      types::v1::Claim& claim = *principal.add_claims();
      claim.set_name(name);
      for (int i = Below(3); i > 0; --i) *claim.add_values() = ClaimValue();
    }
    return principal;
  }

  // The same caller with a later token, which may say something else of him.
  types::v1::Principal LaterToken(types::v1::Principal principal) {
    const types::v1::Principal other = Principal();
    if (Chance(60)) *principal.mutable_scopes() = other.scopes();
    if (Chance(60)) *principal.mutable_groups() = other.groups();
    if (Chance(60)) *principal.mutable_claims() = other.claims();
    return principal;
  }

  types::v1::PolicySpec Policy() {
    types::v1::PolicySpec policy;
    for (int i = 1 + Below(2); i > 0; --i) *policy.add_principals() = Match();
    for (int i = 1 + Below(2); i > 0; --i) policy.add_servers(One(kServerPatterns));
    AddSession(*policy.mutable_session());
    if (Chance(20)) *policy.add_hours() = Hours();
    if (Chance(10)) *policy.add_hours() = Hours();
    if (Chance(15)) policy.mutable_observe_until()->set_seconds(Now());
    const bool has_approval = policy.session().has_approval();
    for (int i = Below(5); i > 0; --i) *policy.add_rules() = Rule(has_approval);
    return policy;
  }

  // A Friday, 08:00, and the days after it.
  long Now() { return 1'800'000'000 + Below(12) * 5 * 3600 + Below(2); }
  std::string Server() { return One(kServers); }
  std::string Tool() { return One(kNames); }
  std::string Template() { return One(kTemplates); }

  std::string ServerRequest() { return One(kServerRequests); }

  reference::Call Call(std::string& arguments, std::vector<ArgumentPlace>& cut) {
    reference::Call call;
    call.method = One(kMethods);
    call.target = One(kNames);
    if (call.method.starts_with("resources/")) call.target = One(kUris);
    if (call.method == "subscriptions/listen") call.target = Chance(30) ? "" : One(kUris);
    if (call.method == "completion/complete" && Chance(50)) {
      call.of_resource = true;
      call.target = Chance(50) ? One(kTemplates) : One(kUris);
    }
    if (call.method == "tools/call" && Chance(20)) {
      const int place = Below(static_cast<int>(std::size(kCutPlaces)));
      cut.push_back(kCutPlaces[place]);
      call.is_cut = place < kCutsV;
    }
    const int pick = Below(static_cast<int>(std::size(Literals())) + 2);
    arguments = pick % 2 == 0 ? "{\"x\":{\"v\":1}}" : "";
    if (pick < static_cast<int>(std::size(Literals()))) {
      const Literal& literal = Literals()[static_cast<std::size_t>(pick)];
      call.argument = literal.value;
      arguments = std::string(R"({"x":[{"v":9}], "v" : )") + literal.json + "}";
    }
    return call;
  }

 private:
  struct Literal {
    const char* json;
    reference::Value value;
  };

  static const std::vector<Literal>& Literals() {
    using Kind = reference::Value::Kind;
    using reference::Value;
    const Value a{Kind::kText, "a"}, ab{Kind::kText, "ab"}, thousand{Kind::kNumber, "2 thousand"};
    static const std::vector<Literal> kLiterals = {
        {"\"a\"", a},
        {R"("\u0061")", a},
        {"\"ab\"", ab},
        {"\"1000\"", {Kind::kText, "1000"}},
        {"1000", thousand},
        {"1e3", thousand},
        {"0.1E+4", thousand},
        {"-0", {Kind::kNumber, "1 zero"}},
        {"1000.5", {Kind::kNumber, "3 more"}},
        {"-1e9", {Kind::kNumber, "0 less"}},
        {"true", {Kind::kFlag, "true"}},
        {"false", {Kind::kFlag, "false"}},
        {"null", {Kind::kNull, ""}},
        {"[]", {Kind::kList, ""}},
        {"[1000]", {Kind::kList, "", {thousand}}},
        {"[\"a\",\"ab\"]", {Kind::kList, "", {a, ab}}},
        {"[\"ab\",\"a\"]", {Kind::kList, "", {ab, a}}},
        {"[\"a\", \"\\u0061\", \"a\"]", {Kind::kList, "", {a, a, a}}},
        {"[[\"a\"],[]]", {Kind::kList, "", {{Kind::kList, "", {a}}, {Kind::kList, ""}}}},
        {"{\"v\":\"a\"}", {Kind::kObject, "", {a}}},
        {"{\"v\":1000,\"w\":\"a\"}", {Kind::kObject, "", {thousand, a}}},
        {"{\"w\":\"a\",\"v\":1e3}", {Kind::kObject, "", {thousand, a}}}};
    return kLiterals;
  }

  void AddSession(types::v1::SessionTerms& session) {
    if (Chance(70)) {
      types::v1::ApprovalTerms& approval = *session.mutable_approval();
      for (int i = 1 + Below(2); i > 0; --i) approval.add_approvers(One(kApprovers));
      if (Chance(50)) approval.mutable_expires_after()->set_seconds(60 + Below(3));
      if (Chance(30)) approval.set_count(1 + Below(3));
      if (Chance(40)) {
        session.mutable_break_glass()->add_groups(One(kRealms) + ":" + One(kWords));
        if (Chance(50)) session.mutable_break_glass()->mutable_max_duration()->set_seconds(40);
      }
    }
    if (Chance(15)) session.set_open(types::v1::OPEN_MODE_REQUEST);
    if (Chance(30)) session.mutable_max_duration()->set_seconds(30 + Below(3));
    if (Chance(20)) session.set_on_control_plane_loss(types::v1::CONTROL_PLANE_LOSS_STRICT);
    if (Chance(20)) session.mutable_lease()->set_seconds(8 + Below(5));
    if (Chance(30)) *session.add_limits() = Limit(types::v1::LIMIT_SCOPE_SESSION, true);
    if (Chance(30)) *session.add_limits() = Limit(types::v1::LIMIT_SCOPE_SESSION, false);
    if (Chance(30)) *session.add_limits() = Limit(types::v1::LIMIT_SCOPE_PRINCIPAL, Chance(50));
  }

  types::v1::SessionLimit Limit(types::v1::LimitScope per, bool is_rate) {
    types::v1::SessionLimit limit;
    limit.set_per(per);
    if (is_rate) {
      limit.set_calls(1 + static_cast<unsigned>(Below(3)));
      limit.mutable_within()->set_seconds(60 * (1 + Below(2)));
    } else {
      limit.set_concurrent(1 + static_cast<unsigned>(Below(3)));
    }
    return limit;
  }

  types::v1::Hours Hours() {
    types::v1::Hours hours;
    for (int i = Below(3); i > 0; --i) {
      hours.add_days(static_cast<types::v1::Weekday>(types::v1::WEEKDAY_FRI + Below(3)));
    }
    const int from = Below(static_cast<int>(std::size(kMinutes)) - 1);
    const int to = Below(static_cast<int>(std::size(kMinutes)) - 1);
    hours.set_from(kMinutes[from]);
    hours.set_to(kMinutes[to == from ? std::size(kMinutes) - 1 : static_cast<std::size_t>(to)]);
    hours.set_zone(Chance(50) ? "UTC" : "Etc/GMT-9");
    return hours;
  }

  types::v1::Scalar ClaimValue() {
    types::v1::Scalar value;
    if (Chance(50)) {
      value.set_text(One(kTexts));
    } else if (Chance(50)) {
      value.set_number(One(kNumbers));
    } else {
      value.set_flag(Chance(50));
    }
    return value;
  }

  types::v1::PrincipalMatch Match() {
    types::v1::PrincipalMatch match;
    match.set_realm(Chance(80) ? kRealms[0] : kRealms[1]);
    if (Chance(20)) match.set_kind(types::v1::PRINCIPAL_KIND_USER);
    if (Chance(12)) match.add_subjects(One(kWords));
    if (Chance(12)) match.add_client_ids(One(kWords));
    if (Chance(12)) match.add_groups(One(kWords));
    if (Chance(12)) match.add_scopes(One(kScopes));
    if (Chance(10)) {
      types::v1::Scalars& values = (*match.mutable_claims())[One(kWords)];
      for (int i = 1 + Below(2); i > 0; --i) *values.add_values() = ClaimValue();
    }
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

  void AddTest(types::v1::Condition& condition, int kinds) {
    switch (Below(kinds)) {
      case 0:
        *condition.mutable_equals() = Scalar();
        break;
      case 1:
        for (int i = 1 + Below(3); i > 0; --i) *condition.add_in() = Scalar();
        break;
      case 2:
        condition.set_matches(Chance(50) ? "a.*" : "[0-9]+");
        break;
      case 3:
        condition.mutable_min()->set_number("0");
        if (Chance(50)) condition.mutable_max()->set_number("1000.0");
        break;
      case 4:
        condition.mutable_max()->set_number(One(kNumbers));
        break;
      case 5:
        AddTest(*condition.mutable_each(), 6);
        break;
      default:
        condition.set_exists(Chance(50));
    }
  }

  types::v1::Condition Condition() {
    types::v1::Condition condition;
    condition.set_path("/v");
    AddTest(condition, 8);
    return condition;
  }

  void AddEffects(types::v1::RuleBody& body) {
    if (Chance(40)) {
      body.mutable_once()->add_by("/v");
      if (Chance(50)) body.mutable_once()->mutable_within()->set_seconds(60 + Below(2));
    }
    if (Chance(40)) {
      types::v1::ObjectLimit& limit = *body.mutable_limit();
      limit.set_count("/v");
      if (Chance(50)) limit.set_per_call(1 + static_cast<unsigned>(Below(3)));
      if (limit.per_call() == 0 || Chance(50)) {
        limit.set_per_window(1 + static_cast<unsigned>(Below(4)));
        if (Chance(50)) limit.mutable_window()->set_seconds(60 + Below(2));
      }
    }
  }

  types::v1::Rule Rule(bool has_approval) {
    types::v1::Rule rule;
    const int effect = Below(3);
    types::v1::RuleBody& body = effect == 0   ? *rule.mutable_allow()
                                : effect == 1 ? *rule.mutable_require_approval()
                                              : *rule.mutable_deny();
    if (effect == 1) {
      for (int i = has_approval ? Below(3) : 1; i > 0; --i) body.add_approvers(One(kApprovers));
      if (Chance(30)) body.mutable_expires_after()->set_seconds(50 + Below(40));
      if (Chance(30)) body.set_count(1 + static_cast<unsigned>(Below(3)));
    }
    if (effect < 2 && Chance(35)) {
      body.set_on_unknown(Chance(30)                   ? types::v1::ON_UNKNOWN_ALLOW
                          : has_approval && Chance(60) ? types::v1::ON_UNKNOWN_ASK
                                                       : types::v1::ON_UNKNOWN_DENY);
    }
    AddNames(body, effect);
    return rule;
  }

  // `effect`: 0 allows, 1 asks, 2 denies.
  void AddNames(types::v1::RuleBody& body, int effect) {
    const bool may_be_of_server = effect != 1 && body.on_unknown() == 0;
    switch (Chance(45) ? 4 : Below(7)) {
      case 0:
        for (int i = 1 + Below(2); i > 0; --i) body.add_resources(One(kUriPatterns));
        break;
      case 1:
        body.add_prompts(One(kNamePatterns));
        break;
      case 2:
        body.add_methods(One(kMethodPatterns));
        body.add_tools(One(kNamePatterns));
        break;
      case 5:
        body.add_methods(effect == 0 ? One(kMethodPatterns) : "tools/*");
        break;
      case 6:
        if (may_be_of_server) {
          for (int i = 1 + Below(2); i > 0; --i) body.add_server_requests(One(kServerRequests));
          break;
        }
        [[fallthrough]];
      default:
        for (int i = 1 + Below(2); i > 0; --i) body.add_tools(One(kNamePatterns));
        for (int i = Below(3); i > 0; --i) *body.add_when() = Condition();
        if (effect != 2) AddEffects(body);
    }
  }

  static constexpr const char* kRealms[] = {"r", "s"};
  static constexpr const char* kWords[] = {"a", "b"};
  static constexpr const char* kScopes[] = {"x", "y"};
  static constexpr const char* kServers[] = {"wiki", "wiki-2", "git"};
  static constexpr const char* kServerPatterns[] = {"wiki", "wiki*", "*", "git", "*i*"};
  static constexpr const char* kNames[] = {"get-a", "get-b", "drop", "", "a*b"};
  static constexpr const char* kNamePatterns[] = {"get-*", "*", "drop", "*-a", "g*t*b", "get-a"};
  static constexpr const char* kUris[] = {
      "f:///a",      "f:///a/b",      "f:///a/b/c",      "f:///x",    "g:a",    "F:///x",
      "f:///a%2Fb",  "f:///%61",      "f:///a%252fb",    "f:///a//b", "",       "f:///a\\b",
      "f:///\uFF41", "f:///a/../x",   "f:///a/%2e%2e/x", "f:///a%00", "f:///a", "f:///x",
      "http://h/a",  "http://H:80/a", "http://u@h./a",   "f:///a#x",  " f:///a"};
  static constexpr const char* kTemplates[] = {"f:///a/{x}",   "f:///{x}",     "{x}",
                                               "g:{x}",        "f:///a//{x}",  "f:///{+x}",
                                               "f:///%61/{x}", "f:///a/../{x}"};
  static constexpr const char* kUriPatterns[] = {
      "*",          "f:///*",     "f:///**",     "f:///a/*",    "f:**/b/c",   "f:///*/b**",
      "g:*",        "f:///a",     "f:*",         "f:///a/b",    "f:///%61/*", "f:///a//b",
      "f:///a%2Fb", "http://h/*", "http://H/**", "http://u@h/a"};
  static constexpr const char* kMethods[] = {"tools/call",
                                             "tools/call",
                                             "tools/call",
                                             "tools/call",
                                             "tools/call",
                                             "tools/call",
                                             "resources/read",
                                             "resources/read",
                                             "prompts/get",
                                             "ping",
                                             "tools/list",
                                             "vendor/x",
                                             "vendor/y",
                                             "completion/complete",
                                             "resources/subscribe",
                                             "subscriptions/listen",
                                             "resources/unsubscribe",
                                             "notifications/roots/list_changed"};
  static constexpr const char* kMethodPatterns[] = {"vendor/*",
                                                    "vendor/x",
                                                    "*",
                                                    "completion/complete",
                                                    "*/subscribe",
                                                    "subscriptions/*",
                                                    "notifications/roots/list_changed",
                                                    "*complete"};
  static constexpr const char* kServerRequests[] = {"sampling", "elicitation", "roots"};
  // The first kCutsV of them are about `/v`.
  static inline const std::vector<std::string> kCutPlaces[] = {
      {}, {"v"}, {"*"}, {"v", "0"}, {"*", "0"}, {"x"}, {"x", "v"}};
  static constexpr int kCutsV = 5;
  static constexpr const char* kApprovers[] = {"r:g", "r:h", "s:g"};
  static constexpr const char* kTexts[] = {"a", "ab", "1000", ""};
  static constexpr const char* kMinutes[] = {"00:00", "03:00", "08:00", "13:01", "23:59", "24:00"};
  static constexpr const char* kNumbers[] = {"1000", "1000.0", "0", "0.00", "100050e-2", "-1e9"};

  std::mt19937 random_;
};

}  // namespace sallyport
