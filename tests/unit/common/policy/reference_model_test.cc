#include "tests/unit/common/policy/reference_model.h"

#include <functional>
#include <map>

#include "common/policy/proto_duration.h"
#include "tests/unit/common/policy/reference_draw.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

using reference::Policies;

// A million calls in all, where no sanitizer slows the evaluator down.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int kPolicySets = 5'000;
#else
constexpr int kPolicySets = 50'000;
#endif
constexpr int kCallsEach = 20;
// So many policies that rules are looked up and not looked through.
constexpr int kManyPolicies = 150;

std::string NameOf(std::size_t policy) {
  std::string number = std::to_string(policy);
  return "p" + std::string(3 - number.size(), '0') + number;
}

int IndexOf(const std::string& policy) { return policy.empty() ? -1 : std::stoi(policy.substr(1)); }

std::shared_ptr<const CompiledPolicies> CompileAll(const Policies& policies) {
  std::vector<types::v1::Document> documents;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    types::v1::Document& document = documents.emplace_back();
    document.set_kind(types::v1::DOCUMENT_KIND_POLICY);
    document.set_name(NameOf(i));
    *document.mutable_policy() = policies[i];
  }
  const auto compiled = CompiledPolicies::Compile(documents);
  if (!compiled.ok()) FAIL(compiled.status());
  return *compiled;
}

// What is reserved and counted comes as keys: equal where the model's words are, and nowhere else.
class Keys {
 public:
  bool Match(const std::set<std::string>& words, const std::set<std::string>& keys) {
    return keys_.try_emplace(words, keys).first->second == keys &&
           words_.try_emplace(keys, words).first->second == words;
  }

 private:
  std::map<std::set<std::string>, std::set<std::string>> keys_;
  std::map<std::set<std::string>, std::set<std::string>> words_;
};

reference::Decision InModelsWords(const CallDecision& decision) {
  static const std::map<Verdict, std::string> kWords = {{Verdict::kAllow, "allow"},
                                                        {Verdict::kRequireApproval, "approve"},
                                                        {Verdict::kDeny, "deny"},
                                                        {Verdict::kHidden, "hidden"}};
  reference::Decision words{.verdict = kWords.at(decision.verdict),
                            .reason = decision.reason,
                            .policy = IndexOf(decision.policy),
                            .rule = decision.rule,
                            .approvers = {decision.approvers.begin(), decision.approvers.end()},
                            .count = static_cast<int>(decision.count),
                            .expires_seconds = absl::ToInt64Seconds(decision.expires_after),
                            .on_unknown = decision.on_unknown};
  if (decision.observed) words.observed = decision.observed->reason;
  return words;
}

// Everything but the effects, which the two sides name differently.
bool IsSame(const CallDecision& actual, reference::Decision expected, Keys& keys) {
  std::set<std::string> words, found;
  std::multiset<long> times, found_times;
  for (const auto& [effect, within] : expected.once) {
    words.insert(effect);
    times.insert(within);
  }
  for (const OnceDemand& once : actual.once) {
    found.insert(once.policy + "|" + once.key);
    found_times.insert(once.within == absl::InfiniteDuration() ? 1L << 40
                                                               : absl::ToInt64Seconds(once.within));
  }
  if (times != found_times || !keys.Match(words, found)) return false;
  words = expected.limits;
  found.clear();
  for (const LimitDemand& limit : actual.limits) {
    found.insert(limit.policy + "|" + std::to_string(limit.objects) + "|" +
                 std::to_string(limit.per_window) + "|" +
                 std::to_string(absl::ToInt64Seconds(limit.window)));
  }
  if (!keys.Match(words, found)) return false;
  expected.once.clear();
  expected.limits.clear();
  return InModelsWords(actual) == expected;
}

reference::Opening InModelsWords(const OpenDecision& open) {
  reference::Opening words{.reason = open.reason};
  if (open.observed) words.observed = open.observed->reason;
  if (!open.is_allowed()) return words;
  words.must_request = open.terms.open() == types::v1::OPEN_MODE_REQUEST;
  if (open.terms.has_approval()) {
    words.approvers = {open.terms.approval().approvers().begin(),
                       open.terms.approval().approvers().end()};
    words.count = static_cast<int>(open.terms.approval().count());
    words.expires_seconds = open.terms.approval().expires_after().seconds();
  }
  if (open.break_glass) words.break_glass_seconds = absl::ToInt64Seconds(*open.break_glass);
  words.is_strict = open.terms.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT;
  words.lease_seconds = open.terms.lease().seconds();
  words.max_duration_seconds = open.terms.max_duration().seconds();
  for (const types::v1::SessionLimit& limit : open.terms.limits()) {
    words.limits.insert({limit.per(), static_cast<long>(limit.within().seconds()),
                         static_cast<long>(limit.calls()) + limit.concurrent()});
  }
  return words;
}

// Leaves out whatever is not needed for the two sides to differ, and shows the rest.
std::string Shrunk(Policies policies, const std::function<bool(const Policies&)>& differs) {
  const auto try_each = [&](auto count, auto leave_out) {
    for (int i = count(policies) - 1; i >= 0; --i) {
      Policies smaller = policies;
      leave_out(smaller, i);
      if (differs(smaller)) policies = std::move(smaller);
    }
  };
  const auto size = [](const Policies& all) { return static_cast<int>(all.size()); };
  // In its place stays one that names nobody, so that the others keep their names.
  try_each(size, [](Policies& all, int i) {
    types::v1::PolicySpec& policy = all[static_cast<std::size_t>(i)];
    policy.clear_rules();
    for (auto& match : *policy.mutable_principals()) match.set_realm("nobody");
  });
  for (std::size_t p = 0; p < policies.size(); ++p) {
    try_each([&](const Policies& all) { return all[p].rules_size(); },
             [&](Policies& all, int i) { all[p].mutable_rules()->DeleteSubrange(i, 1); });
    try_each([&](const Policies&) { return 1; }, [&](Policies& all, int) { all[p].clear_hours(); });
    try_each([&](const Policies&) { return 1; },
             [&](Policies& all, int) { all[p].clear_observe_until(); });
  }
  std::string text;
  for (std::size_t p = 0; p < policies.size(); ++p) {
    if (policies[p].principals(0).realm() != "nobody") {
      text += NameOf(p) + "\n" + policies[p].DebugString();
    }
  }
  return text;
}

struct Tally {
  std::map<std::string, int> seen;
  void Add(const reference::Call& call, const reference::Decision& decision) {
    ++seen[decision.verdict];
    const bool passes = decision.verdict == "allow" || decision.verdict == "approve";
    ++seen[call.method + (passes ? " passes" : " is refused")];
    if (call.is_cut) ++seen[passes ? "cut passes" : "cut is refused"];
    if (call.of_resource) ++seen[passes ? "template passes" : "template is refused"];
    if (call.target.find('%') != std::string::npos) {
      ++seen[passes ? "encoded passes" : "encoded is refused"];
    }
    if (call.target.starts_with("http")) ++seen[passes ? "host passes" : "host is refused"];
    if (!decision.once.empty()) ++seen["once"];
    if (!decision.limits.empty()) ++seen["limits"];
    if (decision.observed != types::v1::DENIAL_REASON_UNSPECIFIED) ++seen["observed"];
    if (decision.reason == types::v1::DENIAL_REASON_LIMIT_EXCEEDED) ++seen["too many"];
    if (decision.verdict == "allow" && decision.count > 0) ++seen["asked about unknown"];
    if (decision.count > 1) ++seen["several people"];
  }
  void Add(const reference::Opening& opening) {
    ++seen["opened " + std::to_string(opening.reason)];
    if (opening.break_glass_seconds != 0) ++seen["glass"];
    if (opening.observed != types::v1::DENIAL_REASON_UNSPECIFIED) ++seen["opened, observed"];
  }
};

// One set of policies, and the two tokens of a session at one time.
class Set {
 public:
  explicit Set(unsigned seed) : seed_(seed), draw_(seed) {
    for (int i = seed % 1000 == 0 ? kManyPolicies : 1 + draw_.Below(3); i > 0; --i) {
      policies_.push_back(draw_.Policy());
    }
    tokens_.opened_as = draw_.Principal();
    tokens_.principal = draw_.Chance(40) ? draw_.LaterToken(tokens_.opened_as) : tokens_.opened_as;
    server_ = draw_.Server();
    now_ = draw_.Now();
    time_ = absl::FromUnixSeconds(now_);
    compiled_ = CompileAll(policies_);
    bound_ = Bind(compiled_);
  }

  void CompareCall(Tally& tally) {
    std::string arguments;
    std::vector<ArgumentPlace> cut;
    const reference::Call call = draw_.Call(arguments, cut);
    const PolicyCall asked{.method = call.method,
                           .target = call.target,
                           .ref_is_resource = call.of_resource,
                           .arguments = arguments,
                           .cut = cut};
    const reference::Decision expected = reference::Decide(policies_, tokens_, server_, call, now_);
    tally.Add(call, expected);
    const CallDecision actual = bound_->EvaluateCall(asked, time_);
    if (IsSame(actual, expected, keys_)) return;
    const auto differs = [&](const Policies& fewer) {
      Keys of_one;
      return !IsSame(Bind(CompileAll(fewer))->EvaluateCall(asked, time_),
                     reference::Decide(fewer, tokens_, server_, call, now_), of_one);
    };
    Fail(call.method + " " + call.target + " " + arguments + (call.is_cut ? " cut" : ""),
         InModelsWords(actual), expected, differs);
  }

  void CompareServerRequest(Tally& tally) {
    const std::string word = draw_.ServerRequest();
    const auto ask = [&](const SessionPolicy& policy) {
      return InModelsWords(policy.EvaluateServerRequest(word, time_));
    };
    const reference::Decision expected =
        reference::DecideServerRequest(policies_, tokens_, server_, word, now_);
    tally.Add({.method = word}, expected);
    if (ask(*bound_) == expected) return;
    Fail(word, ask(*bound_), expected, [&](const Policies& fewer) {
      return ask(*Bind(CompileAll(fewer))) !=
             reference::DecideServerRequest(fewer, tokens_, server_, word, now_);
    });
  }

  void CompareList(Tally& tally) {
    const std::string tool = draw_.Tool();
    const bool shows = reference::Shows(policies_, tokens_, server_, tool, now_);
    tally.seen["shown"] += shows;
    if (bound_->ShowsTool(tool, time_) == shows) return;
    Fail("list of " + tool, {}, {}, [&](const Policies& fewer) {
      return Bind(CompileAll(fewer))->ShowsTool(tool, time_) !=
             reference::Shows(fewer, tokens_, server_, tool, now_);
    });
  }

  void CompareTemplateList(Tally& tally) {
    const std::string text = draw_.Template();
    const bool shows = reference::ShowsTemplate(policies_, tokens_, server_, text, now_);
    tally.seen[shows ? "templates shown" : "templates hidden"] += 1;
    if (bound_->ShowsResourceTemplate(text, time_) == shows) return;
    Fail("list of " + text, {}, {}, [&](const Policies& fewer) {
      return Bind(CompileAll(fewer))->ShowsResourceTemplate(text, time_) !=
             reference::ShowsTemplate(fewer, tokens_, server_, text, now_);
    });
  }

  void CompareOpening(Tally& tally) {
    const auto open = [&](const CompiledPolicies& policies) {
      return InModelsWords(policies.EvaluateOpen(tokens_.opened_as, server_, "", time_));
    };
    const reference::Opening expected =
        reference::Open(policies_, tokens_.opened_as, server_, now_);
    tally.Add(expected);
    if (open(*compiled_) == expected) return;
    Fail("opening", {}, {}, [&](const Policies& fewer) {
      return open(*CompileAll(fewer)) != reference::Open(fewer, tokens_.opened_as, server_, now_);
    });
  }

 private:
  using Compiled = std::shared_ptr<const CompiledPolicies>;

  std::shared_ptr<const SessionPolicy> Bind(const Compiled& policies) const {
    return SessionPolicy::Bind(policies, tokens_.principal, tokens_.opened_as, server_);
  }

  void Fail(const std::string& what, const reference::Decision& actual,
            const reference::Decision& expected,
            const std::function<bool(const Policies&)>& differs) const {
    FAIL("seed " << seed_ << ", at " << now_ << ": " << what << ": " << actual.verdict << " "
                 << actual.reason << " by " << actual.policy << " " << actual.rule << " and not "
                 << expected.verdict << " " << expected.reason << " by " << expected.policy << " "
                 << expected.rule << "\n"
                 << tokens_.opened_as.DebugString() << tokens_.principal.DebugString()
                 << Shrunk(policies_, differs));
  }

  const unsigned seed_;
  Draw draw_;
  Policies policies_;
  reference::Tokens tokens_;
  std::string server_;
  long now_ = 0;
  absl::Time time_;
  Compiled compiled_;
  std::shared_ptr<const SessionPolicy> bound_;
  Keys keys_;
};

void RunSet(unsigned seed, Tally& tally) {
  Set set(seed);
  for (int i = 0; i < kCallsEach; ++i) set.CompareCall(tally);
  set.CompareServerRequest(tally);
  set.CompareList(tally);
  set.CompareTemplateList(tally);
  set.CompareOpening(tally);
}

// `--rng-seed time` draws others.
TEST_CASE("the evaluator and a model written from the description never differ",
          "[policy][reference]") {
  Tally tally;
  const unsigned first = Catch::rngSeed();
  for (unsigned i = 0; i < kPolicySets; ++i) RunSet(first + i, tally);
  // The draws are worth something only when all answers occur often.
  for (const char* answer : {"allow", "approve", "deny", "hidden", "once", "limits", "observed",
                             "asked about unknown", "several people"}) {
    INFO("first seed " << first << ", " << answer << ": " << tally.seen[answer]);
    CHECK(tally.seen[answer] > kPolicySets / 25);
  }
  for (const char* answer : {"too many", "shown", "templates shown", "templates hidden", "glass",
                             "opened 0", "opened, observed"}) {
    INFO("first seed " << first << ", " << answer << ": " << tally.seen[answer]);
    CHECK(tally.seen[answer] > kPolicySets / 250);
  }
  for (const std::string what :
       {"tools/call", "resources/read", "prompts/get", "completion/complete", "resources/subscribe",
        "subscriptions/listen", "notifications/roots/list_changed", "sampling", "roots", "cut",
        "template", "encoded", "host"}) {
    for (const std::string& answer : {what + " passes", what + " is refused"}) {
      INFO("first seed " << first << ", " << answer << ": " << tally.seen[answer]);
      CHECK(tally.seen[answer] > kPolicySets / 250);
    }
  }
}

}  // namespace
}  // namespace sallyport
