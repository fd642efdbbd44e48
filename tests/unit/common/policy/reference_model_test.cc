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
  void Add(const reference::Decision& decision) {
    ++seen[decision.verdict];
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

// One set of policies with the calls of one principal at one time.
void RunSet(unsigned seed, Tally& tally) {
  Draw draw(seed);
  Policies policies;
  for (int i = seed % 1000 == 0 ? kManyPolicies : 1 + draw.Below(3); i > 0; --i) {
    policies.push_back(draw.Policy());
  }
  const types::v1::Principal principal = draw.Principal();
  const std::string server = draw.Server();
  const long now = draw.Now();
  const absl::Time time = absl::FromUnixSeconds(now);
  const auto compiled = CompileAll(policies);
  const auto bound = SessionPolicy::Bind(compiled, principal, server);
  Keys keys;
  for (int i = 0; i < kCallsEach; ++i) {
    std::string arguments;
    const reference::Call call = draw.Call(arguments);
    const PolicyCall asked{.method = call.method, .target = call.target, .arguments = arguments};
    const reference::Decision expected = reference::Decide(policies, principal, server, call, now);
    tally.Add(expected);
    if (IsSame(bound->EvaluateCall(asked, time), expected, keys)) continue;
    const auto differs = [&](const Policies& fewer) {
      Keys of_one;
      return !IsSame(
          SessionPolicy::Bind(CompileAll(fewer), principal, server)->EvaluateCall(asked, time),
          reference::Decide(fewer, principal, server, call, now), of_one);
    };
    const CallDecision actual = bound->EvaluateCall(asked, time);
    FAIL("seed " << seed << ", at " << now << ": " << call.method << " " << call.target << " "
                 << arguments << ": " << InModelsWords(actual).verdict << " " << actual.reason
                 << " by " << actual.policy << " " << actual.rule << " and not " << expected.verdict
                 << " " << expected.reason << " by " << expected.policy << " " << expected.rule
                 << "\n"
                 << principal.DebugString() << Shrunk(policies, differs));
  }
  const std::string tool = draw.Tool();
  const bool shows = reference::Shows(policies, principal, server, tool, now);
  tally.seen["shown"] += shows;
  if (bound->ShowsTool(tool, time) != shows) {
    FAIL("seed " << seed << ": list of " << tool << "\n"
                 << Shrunk(policies, [&](const auto& fewer) {
                      return SessionPolicy::Bind(CompileAll(fewer), principal, server)
                                 ->ShowsTool(tool, time) !=
                             reference::Shows(fewer, principal, server, tool, now);
                    }));
  }
  const reference::Opening opening = reference::Open(policies, principal, server, now);
  tally.Add(opening);
  const auto open = [&](const Policies& some) {
    return InModelsWords(CompileAll(some)->EvaluateOpen(principal, server, "", time));
  };
  if (open(policies) != opening) {
    FAIL("seed " << seed << ", at " << now << ": opening\n"
                 << principal.DebugString() << Shrunk(policies, [&](const auto& fewer) {
                      return open(fewer) != reference::Open(fewer, principal, server, now);
                    }));
  }
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
  for (const char* answer : {"too many", "shown", "glass", "opened 0", "opened, observed"}) {
    INFO("first seed " << first << ", " << answer << ": " << tally.seen[answer]);
    CHECK(tally.seen[answer] > kPolicySets / 250);
  }
}

}  // namespace
}  // namespace sallyport
