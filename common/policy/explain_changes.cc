#include "common/policy/explain_changes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/demands.h"
#include "common/policy/rule_body.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using Sentences = std::vector<std::string>;

// More than that nobody would do, or read.
constexpr std::size_t kMostSteps = 8;
constexpr std::size_t kMostPolicies = 16;

// How many changes of the same kind are tried: each asks all policies and rules again, and somebody
// waits for the answer.
constexpr std::size_t kMostTries = 64;
constexpr std::size_t kFewestTries = 4;
constexpr std::size_t kMostAsked = 100'000;
std::size_t TriesOf(const WhatIf& what_if) {
  return std::clamp(kMostAsked / (what_if.size() + 1), kFewestTries, kMostTries);
}

bool IsRefused(const OpenDecision& decision) { return !decision.is_allowed(); }
bool IsRefused(const CallDecision& decision) {
  return decision.verdict == Verdict::kDeny || decision.verdict == Verdict::kHidden;
}

bool Differ(const OpenDecision& a, const OpenDecision& b) {
  return a.reason != b.reason || a.lock != b.lock ||
         a.terms.SerializeAsString() != b.terms.SerializeAsString();
}
bool Differ(const CallDecision& a, const CallDecision& b) {
  return a.verdict != b.verdict || a.reason != b.reason || a.approvers != b.approvers ||
         a.count != b.count || a.expires_after != b.expires_after || a.once != b.once ||
         a.limits != b.limits;
}

// What becomes of it, for a sentence that begins with what would be otherwise.
std::string Outcome(const OpenDecision& decision) {
  return decision.terms.has_approval() ? "require_approval" : "allow";
}
std::string Outcome(const CallDecision& decision) {
  std::string text(DecisionWord(decision));
  if (decision.reason != types::v1::DENIAL_REASON_UNSPECIFIED) {
    absl::StrAppend(&text, " (", ToAbsl(ReasonName(decision.reason)), ")");
  }
  if (decision.rule != kNoRule) {
    absl::StrAppend(&text, ", by ", RuleName(decision.policy, decision.rule));
  }
  return text;
}

OpenDecision Ask(const WhatIf& what_if, const OpenDecision&) { return what_if.Open(); }
CallDecision Ask(const WhatIf& what_if, const CallDecision&) { return what_if.Call(); }

// Those outside of their hours that could decide otherwise within them.
Sentences Closed(const WhatIf& what_if, const OpenDecision&) { return what_if.Closed(); }
Sentences Closed(const WhatIf& what_if, const CallDecision&) {
  Sentences closed = what_if.Closed();
  std::erase_if(closed, [&](const std::string& policy) { return !what_if.HasRules(policy); });
  return closed;
}

// `a and b and 3 more`
std::string AllOf(const Sentences& policies) {
  if (policies.size() <= kMostPolicies) return absl::StrJoin(policies, " and ");
  return absl::StrCat(absl::StrJoin(policies.begin(), policies.begin() + kMostPolicies, " and "),
                      " and ", policies.size() - kMostPolicies, " more");
}

// The keys of a rule that could name what is asked.
Sentences KindsOf(const Question& question) {
  if (!question.server_request.empty()) return {"server_requests"};
  switch (KindOfMethod(question.call.method)) {
    case MethodKind::kTool:
      return {"tools"};
    case MethodKind::kResource:
      return {"resources"};
    case MethodKind::kPrompt:
      return {"prompts"};
    case MethodKind::kCompletion:
      return {"methods", question.call.ref_is_resource ? "resources" : "prompts"};
    case MethodKind::kSubscribe:
    case MethodKind::kListen:
      return {"methods", "resources"};
    default:
      return {"methods"};
  }
}

// With which arguments the rule would let the call through that it refuses for those it has.
std::string ArgumentsFor(const CallDecision& decision, const types::v1::Rule& rule) {
  const std::string name = RuleName(decision.policy, decision.rule);
  const types::v1::RuleBody& body = BodyOf(rule);
  if (decision.detail.starts_with(kNothingToPassOnce)) {
    return absl::StrCat("arguments that have ", absl::StrJoin(body.once().by(), " and "),
                        ", by which ", name, " lets a call pass once");
  }
  if (decision.detail.starts_with(kNothingToCount)) {
    return absl::StrCat("arguments that have ", body.limit().count(), ", whose objects ", name,
                        " counts");
  }
  if (!decision.detail.empty()) return "arguments that can be read in one way alone";
  return absl::StrCat("arguments for which the conditions of ", name, " hold");
}

// The approval that is asked for. Owners never count. Empty: there is nobody to give it.
template <class Approvers>
std::string ApprovalOf(const CompiledPolicies& policies, const Asked& asked, std::uint32_t count,
                       const Approvers& approvers) {
  const Sentences owners = policies.OwnersOf(asked.principal);
  const bool is_nobody_left = std::ranges::all_of(approvers, [&](const std::string& approver) {
    return std::ranges::find(owners, approver) != owners.end();
  });
  if (is_nobody_left) return {};
  return absl::StrCat(
      "the approval of ", count, " of ", absl::StrJoin(approvers, ", "),
      owners.empty() ? "" : ", none of them an owner: ", absl::StrJoin(owners, ", "));
}

// Tries changes of what refuses, one after the other, until nothing does.
class WayThrough {
 public:
  explicit WayThrough(const Asked& asked, WhatIf what_if)
      : asked_(asked), what_if_(std::move(what_if)) {}

  // Empty: there is none.
  template <class Decision>
  std::string Find(Decision decision) && {
    Sentences steps;
    while (IsRefused(decision)) {
      if (steps.size() == kMostSteps) return {};
      std::string step = Step(decision);
      if (step.empty()) return {};
      steps.push_back(std::move(step));
      decision = Ask(what_if_, decision);
    }
    const bool is_said = steps.size() == 1 && !steps.front().starts_with("without ") &&
                         !Outcome(decision).starts_with("require_approval");
    return absl::StrCat(absl::StrJoin(steps, ", and "),
                        is_said ? "" : absl::StrCat(": ", Outcome(decision)));
  }

 private:
  std::string Step(const OpenDecision& decision) {
    if (!decision.lock.empty()) {
      what_if_.DeleteLock(decision.lock);
      return absl::StrCat("deleting lock ", decision.lock);
    }
    if (!decision.required_scopes.empty()) {
      what_if_.AddScopes(decision.required_scopes);
      return absl::StrCat("a token with the scopes ",
                          absl::StrJoin(decision.required_scopes, ", "));
    }
    if (decision.reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN) return Entry(decision);
    return Hours(decision);
  }

  std::string Step(const CallDecision& decision) {
    if (decision.verdict == Verdict::kHidden) return AllowRule(decision);
    if (decision.rule == kNoRule) return Hours(decision);
    const std::string rule = RuleName(decision.policy, decision.rule);
    if (decision.reason == types::v1::DENIAL_REASON_CONDITION_FAILED) {
      std::string arguments = ArgumentsFor(decision, what_if_.Rule(decision.policy, decision.rule));
      what_if_.ClearDemands(decision.policy, decision.rule);
      return arguments;
    }
    if (decision.reason == types::v1::DENIAL_REASON_LIMIT_EXCEEDED) {
      what_if_.ClearDemands(decision.policy, decision.rule);
      return absl::StrCat("fewer objects in one call, as the limit of ", rule, " says");
    }
    if (what_if_.Rule(decision.policy, decision.rule).has_allow()) return Hours(decision);
    what_if_.RemoveRule(decision.policy, decision.rule);
    return absl::StrCat("without ", rule);
  }

  // Where one of several would do, the first is taken and all are named: those that let it
  // through, or else those that change what refuses.
  template <class Decision, class Change>
  Sentences OneOf(const Decision& decision, Sentences policies, Change change) {
    policies.resize(std::min({policies.size(), kMostPolicies, TriesOf(what_if_)}));
    for (const bool is_last : {true, false}) {
      Sentences that_do;
      WhatIf taken = what_if_;
      for (const std::string& policy : policies) {
        WhatIf tried = what_if_;
        change(tried, policy);
        const Decision then = Ask(tried, decision);
        if (is_last ? IsRefused(then) : !Differ(then, decision)) continue;
        if (that_do.empty()) taken = tried;
        that_do.push_back(policy);
      }
      what_if_ = std::move(taken);
      if (!that_do.empty()) return that_do;
    }
    return {};
  }

  std::string Entry(const OpenDecision& decision) {
    if (what_if_.Policies().empty()) {
      what_if_.AddPolicy();
      return absl::StrCat("a policy for server ", ToAbsl(asked_.server),
                          " that names the principal");
    }
    const Sentences policies =
        OneOf(decision, what_if_.Policies(),
              [](WhatIf& tried, const std::string& policy) { tried.AddEntry(policy); });
    if (policies.empty()) return {};
    return absl::StrCat("an entry in `principals` of ", absl::StrJoin(policies, " or "),
                        " that names the principal");
  }

  template <class Decision>
  std::string Hours(const Decision& decision) {
    const Sentences closed = Closed(what_if_, decision);
    const Sentences policies =
        OneOf(decision, closed,
              [](WhatIf& tried, const std::string& policy) { tried.ClearHours(policy); });
    if (!policies.empty()) return absl::StrCat("the hours of ", absl::StrJoin(policies, " or "));
    for (const std::string& policy : closed) what_if_.ClearHours(policy);
    return closed.empty() ? "" : absl::StrCat("the hours of ", AllOf(closed));
  }

  std::string AllowRule(const CallDecision& decision) {
    for (const std::string& kind : KindsOf(asked_.question)) {
      const Sentences policies =
          OneOf(decision, what_if_.Policies(),
                [&](WhatIf& tried, const std::string& policy) { tried.AddAllow(policy, kind); });
      if (policies.empty()) continue;
      return absl::StrCat("an allow rule that names it among `", kind, "`, in ",
                          absl::StrJoin(policies, " or "));
    }
    return {};
  }

  const Asked& asked_;
  WhatIf what_if_;
};

// The hours of each policy that, within them, lets through what is refused, or decides what is not
// refused in another way. Not all are tried where there are many.
template <class Decision>
void AddHours(const WhatIf& now, const Decision& decision, Sentences& changes) {
  const Sentences closed = Closed(now, decision);
  const std::size_t most = std::min(closed.size(), TriesOf(now));
  std::size_t tried = 0;
  for (; tried < most && changes.size() < kMostPolicies; ++tried) {
    WhatIf within = now;
    within.ClearHours(closed[tried]);
    const Decision then = Ask(within, decision);
    if (IsRefused(decision) ? IsRefused(then) : !Differ(then, decision)) continue;
    changes.push_back(absl::StrCat("the hours of ", closed[tried]));
  }
  if (tried == closed.size()) return;
  changes.push_back(absl::StrCat("maybe the hours of ", closed.size() - tried,
                                 " more policies, which were not tried"));
}

template <class Decision>
void AddWayThrough(const WhatIf& now, const Asked& asked, const Decision& decision,
                   Sentences& changes) {
  std::string way = WayThrough(asked, now).Find(decision);
  // What begins so is there already, one policy a sentence.
  constexpr std::string_view kHours = "the hours of ";
  if (way.starts_with(kHours) && !changes.empty() && changes.front().starts_with(kHours)) return;
  if (!way.empty()) changes.insert(changes.begin(), std::move(way));
}

}  // namespace

std::string RuleName(std::string_view policy, int rule) {
  return absl::StrCat("rules[", rule, "] of ", ToAbsl(policy));
}

std::string_view DecisionWord(const CallDecision& decision) {
  if (IsRefused(decision)) return "deny";
  return decision.verdict == Verdict::kAllow ? "allow" : "require_approval";
}

Sentences ChangesOf(const CompiledPolicies& policies, const Asked& asked,
                    const OpenDecision& decision) {
  const WhatIf now(policies, asked);
  Sentences changes;
  AddHours(now, decision, changes);
  if (IsRefused(decision)) {
    AddWayThrough(now, asked, decision, changes);
    return changes;
  }
  Sentences needs;
  if (decision.terms.has_approval()) {
    needs.push_back(ApprovalOf(policies, asked, decision.terms.approval().count(),
                               decision.terms.approval().approvers()));
    if (needs.back().empty()) needs.clear();
  }
  if (decision.terms.open() == types::v1::OPEN_MODE_REQUEST) {
    needs.push_back(absl::StrCat("sallyport request ", ToAbsl(asked.server), " --reason TEXT"));
  }
  changes.insert(changes.begin(), needs.begin(), needs.end());
  return changes;
}

Sentences ChangesOf(const CompiledPolicies& policies, const Asked& asked,
                    const CallDecision& decision) {
  const WhatIf now(policies, asked);
  Sentences changes;
  if (decision.verdict != Verdict::kAllow) AddHours(now, decision, changes);
  if (IsRefused(decision)) {
    AddWayThrough(now, asked, decision, changes);
    return changes;
  }
  Sentences needs;
  if (decision.verdict == Verdict::kRequireApproval) {
    std::string approval = ApprovalOf(policies, asked, decision.count, decision.approvers);
    if (!approval.empty()) needs.push_back(std::move(approval));
  }
  if (decision.rule != kNoRule) {
    WhatIf without = now;
    without.RemoveRule(decision.policy, decision.rule);
    const CallDecision then = without.Call();
    if (Differ(then, decision)) {
      needs.push_back(
          absl::StrCat("without ", RuleName(decision.policy, decision.rule), ": ", Outcome(then)));
    }
  }
  changes.insert(changes.begin(), needs.begin(), needs.end());
  return changes;
}

}  // namespace sallyport
