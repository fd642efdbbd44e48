#include "common/policy/judge.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/policy/common_approvers.h"
#include "common/policy/demands.h"

namespace sallyport {

template <class Visit>
bool NamedSubject::AnyOf(const RuleSet& rules, Visit visit) const {
  return forms.Any(
      [&](std::string_view form) { return rules.AnyOf(pattern_kind, form, method, visit); });
}

template <class Visit>
bool ResourceSubject::AnyOf(const RuleSet& rules, Visit visit) const {
  return forms.Any([&](std::string_view form) {
    return rules.AnyOf(PatternKind::kResources, form, method, visit);
  });
}

template <class Visit>
bool TemplateSubject::AnyOf(const RuleSet& rules, Visit visit) const {
  return rules.AnyOf(visit);
}

template <class Visit>
bool MethodSubject::AnyOf(const RuleSet& rules, Visit visit) const {
  return rules.AnyOf(PatternKind::kMethods, method, visit);
}

template <class Visit>
bool ServerRequestSubject::AnyOf(const RuleSet& rules, Visit visit) const {
  return rules.AnyOf(visit);
}

namespace {

using Outcome = CompiledCondition::Outcome;

constexpr std::string_view kTooLongToRead =
    "an argument is longer than a condition reads (256 KiB of a text for matches, of a list for "
    "each)";

// The call must not pass, whatever else is allowed.
bool IsUnreadable(Outcome outcome) {
  return outcome == Outcome::kAmbiguous || outcome == Outcome::kTooLong;
}

// In one reading of the arguments' numbers, which is enough for what restricts.
bool HoldsForSome(Outcome outcome) {
  return outcome == Outcome::kHoldsForSome || outcome == Outcome::kHolds;
}

// An allowing rule asks of a call what it asks (`once`, `limit`, `on_unknown`) even if it names its
// target in one reading alone, and grants nothing then.
template <class Subject>
bool Asks(const Subject& subject, const CompiledRule& rule) {
  return subject.Grants(rule);
}
bool Asks(const NamedSubject& subject, const CompiledRule& rule) { return subject.Names(rule); }

// Whether a rule's conditions hold for arguments, or could hold for what they really are.
struct Tested {
  Outcome outcome = Outcome::kHolds;
  bool is_certain = true;
};

Tested TestAll(const CompiledRule& rule, const Occasion& occasion) {
  Tested tested;
  for (const CompiledCondition& condition : rule.when) {
    const bool is_cut = std::any_of(occasion.cut.begin(), occasion.cut.end(),
                                    [&](const auto& place) { return condition.Reads(place); });
    if (is_cut) {
      tested.is_certain = false;
      continue;
    }
    const Outcome one = condition.Test(occasion.arguments);
    if (IsUnreadable(one)) return {one, true};
    tested.outcome = std::min(tested.outcome, one);
  }
  return tested;
}

bool HoldsAt(const CompiledRule& rule, absl::Time now) { return !rule.policy->IsObserving(now); }

CallDecision RefusedBy(const CompiledRule& rule, types::v1::DenialReason reason,
                       std::string_view detail = {}) {
  return Refused(reason, rule.policy->name, rule.index, detail);
}

// One judgement, rule by rule. With an observer, as if the policies that observe had no rules and
// allowed everything.
template <class Subject>
class Judgement {
 public:
  Judgement(const RuleTable& rules, const Subject& subject, const Occasion& occasion,
            const CompiledPolicy* observer)
      : rules_(rules),
        subject_(subject),
        occasion_(occasion),
        observer_(observer),
        demands_(occasion.server, occasion.arguments) {}

  CallDecision Decide(types::v1::DenialReason hidden) && {
    const CompiledRule* denying = nullptr;
    const auto deny_by = [&](const CompiledRule& rule) {
      if (!subject_.Restricts(rule)) return;
      const Tested tested = Test(rule);
      if (HoldsForSome(tested.outcome) && tested.is_certain) Prefer(rule, denying);
    };
    ForEach(rules_.deny, deny_by);
    subject_.AnyOf(rules_.others, [&](const CompiledRule& rule) {
      if (HoldsAt(rule, occasion_.now)) deny_by(rule);
      return false;
    });
    if (denying != nullptr) return RefusedBy(*denying, types::v1::DENIAL_REASON_POLICY_DENIED);
    ForEach(rules_.require_approval, [&](const CompiledRule& rule) {
      if (subject_.Restricts(rule)) Consider(rule);
    });
    ForEach(rules_.allow, [&](const CompiledRule& rule) {
      if (subject_.Grants(rule)) return Consider(rule);
      if (Asks(subject_, rule)) NoteDemands(rule, Test(rule));
    });
    subject_.AnyOf(rules_.asking, [&](const CompiledRule& rule) {
      if (HoldsAt(rule, occasion_.now) && Asks(subject_, rule)) NoteDemands(rule, Test(rule));
      return false;
    });
    if (unreadable_ != nullptr) {
      return RefusedBy(*unreadable_, types::v1::DENIAL_REASON_CONDITION_FAILED,
                       TestAll(*unreadable_, occasion_).outcome == Outcome::kTooLong
                           ? kTooLongToRead
                           : kReadInTwoWays);
    }
    if (granting_ == nullptr && observer_ == nullptr) return NotGranted(hidden);
    AddDemands();
    CallDecision decision = approving_ == nullptr ? Granted() : NeedsApproval();
    if (decision.verdict == Verdict::kDeny) return decision;
    return std::move(demands_).Complete(std::move(decision));
  }

 private:
  // Whichever comes first is the one that is named.
  static void Prefer(const CompiledRule& rule, const CompiledRule*& first) {
    if (first == nullptr || rule.ordinal < first->ordinal) first = &rule;
  }

  // Those that may speak for the subject and are not lifted, maybe more than once and in any order:
  // what comes of them must not depend on either.
  template <class Visit>
  void ForEach(const RuleSet& rules, Visit visit) {
    subject_.AnyOf(rules, [&](const CompiledRule& rule) {
      if (observer_ == nullptr || HoldsAt(rule, occasion_.now)) visit(rule);
      return false;
    });
  }

  Tested Test(const CompiledRule& rule) {
    const Tested tested = TestAll(rule, occasion_);
    if (IsUnreadable(tested.outcome)) Prefer(rule, unreadable_);
    return tested;
  }

  // A rule that would let the call through. Outside of its hours a policy grants nothing; what it
  // asks holds all the same.
  void Consider(const CompiledRule& rule) {
    const Tested tested = Test(rule);
    NoteDemands(rule, tested);
    if (IsUnreadable(tested.outcome)) return;
    const bool is_taken = rule.effect == CompiledRule::Effect::kAllow
                              ? tested.outcome == Outcome::kHolds
                              : HoldsForSome(tested.outcome);
    if (!is_taken) return Prefer(rule, failed_);
    Prefer(rule, rule.policy->IsOpen(occasion_.now) ? granting_ : closed_);
  }

  void NoteDemands(const CompiledRule& rule, const Tested& tested) {
    // A window counts what all calls touch, whichever rule lets them through.
    if (tested.outcome == Outcome::kFails && rule.limit && rule.limit->per_window != 0)
      demanding_.push_back({&rule, Demanding::kCounts});
    if (!HoldsForSome(tested.outcome)) return;
    // Who knows the arguments names what else the rule asks, if it applies.
    const bool asks = rule.effect == CompiledRule::Effect::kRequireApproval ||
                      rule.on_unknown != types::v1::ON_UNKNOWN_ALLOW;
    if (tested.is_certain ? rule.IsDemanding() : asks)
      demanding_.push_back({&rule, tested.is_certain ? Demanding::kAsks : Demanding::kMayAsk});
  }

  // Each once and in order.
  void AddDemands() {
    std::sort(demanding_.begin(), demanding_.end(),
              [](const auto& a, const auto& b) { return a.rule->ordinal < b.rule->ordinal; });
    const auto end = std::unique(demanding_.begin(), demanding_.end(),
                                 [](const auto& a, const auto& b) { return a.rule == b.rule; });
    for (auto demanding = demanding_.begin(); demanding != end; ++demanding) {
      const CompiledRule& rule = *demanding->rule;
      if (demanding->how == Demanding::kCounts) demands_.AddCounted(rule);
      if (demanding->how == Demanding::kAsks) demands_.Add(rule);
      if (demanding->how == Demanding::kMayAsk) demands_.AddOnUnknown(rule);
      if (demanding->how == Demanding::kCounts) continue;
      if (rule.effect != CompiledRule::Effect::kRequireApproval) continue;
      if (approving_ == nullptr) approving_ = &rule;
      approvers_.Add(rule.approvers, rule.count, rule.expires_after);
    }
  }

  CallDecision NotGranted(types::v1::DenialReason hidden) const {
    if (closed_ != nullptr) {
      return RefusedBy(*closed_, types::v1::DENIAL_REASON_POLICY_DENIED,
                       "it is outside of the hours in which policy allows it");
    }
    if (failed_ != nullptr) {
      return RefusedBy(*failed_, types::v1::DENIAL_REASON_CONDITION_FAILED);
    }
    return Hidden(hidden);
  }

  CallDecision Granted() const {
    if (granting_ == nullptr) return Allowed(observer_->name);
    return Allowed(granting_->policy->name, granting_->index);
  }

  CallDecision NeedsApproval() const {
    if (approvers_.approvers().empty()) {
      return RefusedBy(*approving_, types::v1::DENIAL_REASON_POLICY_DENIED,
                       "the rules that ask for approval have no approver in common");
    }
    return {.verdict = Verdict::kRequireApproval,
            .policy = approving_->policy->name,
            .rule = approving_->index,
            .approvers = approvers_.approvers(),
            .count = approvers_.count(),
            .expires_after = approvers_.expires_after()};
  }

  const RuleTable& rules_;
  const Subject& subject_;
  const Occasion& occasion_;
  const CompiledPolicy* const observer_;
  Demands demands_;
  CommonApprovers approvers_;
  struct Demanding {
    const CompiledRule* rule;
    enum { kAsks, kMayAsk, kCounts } how;
  };
  std::vector<Demanding> demanding_;
  const CompiledRule* approving_ = nullptr;
  const CompiledRule* granting_ = nullptr;
  const CompiledRule* closed_ = nullptr;
  const CompiledRule* unreadable_ = nullptr;
  const CompiledRule* failed_ = nullptr;
};

int Strictness(Verdict verdict) {
  return verdict == Verdict::kAllow ? 0 : verdict == Verdict::kRequireApproval ? 1 : 2;
}

// What `enforced` would have kept back and `lifted` lets through.
std::optional<Observed> Difference(const CallDecision& enforced, const CallDecision& lifted) {
  if (Strictness(enforced.verdict) <= Strictness(lifted.verdict)) return std::nullopt;
  const bool would_ask = enforced.verdict == Verdict::kRequireApproval;
  return Observed{.reason = would_ask ? types::v1::DENIAL_REASON_APPROVAL_PENDING : enforced.reason,
                  .policy = enforced.policy,
                  .rule = enforced.rule,
                  .detail = enforced.detail};
}

// Whether anything at all of a kind could pass: some rule names one, and none shuts all.
template <class Pattern>
bool AnyCouldPass(const RuleTable& rules, std::vector<Pattern> CompiledRule::*kind,
                  std::string_view method, absl::Time now) {
  const auto shuts = [&](const CompiledRule& rule) {
    if (!rule.when.empty() || !HoldsAt(rule, now)) return false;
    return AnyMatches(rule.methods, method) ||
           std::any_of((rule.*kind).begin(), (rule.*kind).end(),
                       [](const Pattern& pattern) { return pattern.is_all(); });
  };
  if (rules.deny.AnyOf(shuts) || rules.others.AnyOf(shuts)) return false;
  if (rules.Observer(now) != nullptr) return true;
  const auto names_some = [&](const CompiledRule& rule) { return !(rule.*kind).empty(); };
  const auto reaches = [&](const CompiledRule& rule) {
    return names_some(rule) || AnyMatches(rule.methods, method);
  };
  return rules.allow.AnyOf(names_some) || rules.require_approval.AnyOf(reaches);
}

}  // namespace

const CompiledPolicy* RuleTable::Observer(absl::Time now) const {
  for (const CompiledPolicy* policy : observing) {
    if (policy->IsObserving(now)) return policy;
  }
  return nullptr;
}

CallDecision Allowed(std::string_view policy, int rule) {
  return {.verdict = Verdict::kAllow, .policy = std::string(policy), .rule = rule};
}

CallDecision Refused(types::v1::DenialReason reason, std::string_view policy, int rule,
                     std::string_view detail) {
  return {.verdict = Verdict::kDeny,
          .reason = reason,
          .policy = std::string(policy),
          .rule = rule,
          .detail = std::string(detail)};
}

CallDecision Hidden(types::v1::DenialReason reason) {
  return {.verdict = Verdict::kHidden, .reason = reason};
}

template <class Subject>
CallDecision Judge(const RuleTable& rules, const Subject& subject, const Occasion& occasion,
                   types::v1::DenialReason hidden) {
  CallDecision enforced = Judgement(rules, subject, occasion, nullptr).Decide(hidden);
  const CompiledPolicy* observer = rules.Observer(occasion.now);
  if (observer == nullptr) return enforced;
  CallDecision lifted = Judgement(rules, subject, occasion, observer).Decide(hidden);
  lifted.observed = Difference(enforced, lifted);
  return lifted;
}

template <class Subject>
bool CouldPass(const RuleTable& rules, const Subject& subject, absl::Time now) {
  const auto shuts = [&](const CompiledRule& rule) {
    return rule.when.empty() && HoldsAt(rule, now) && subject.Restricts(rule);
  };
  if (subject.AnyOf(rules.deny, shuts) || subject.AnyOf(rules.others, shuts)) return false;
  if (rules.Observer(now) != nullptr) return true;
  const auto grants = [&](const CompiledRule& rule) { return subject.Grants(rule); };
  const auto restricts = [&](const CompiledRule& rule) { return subject.Restricts(rule); };
  return subject.AnyOf(rules.allow, grants) || subject.AnyOf(rules.require_approval, restricts);
}

template CallDecision Judge(const RuleTable&, const NamedSubject&, const Occasion&,
                            types::v1::DenialReason);
template CallDecision Judge(const RuleTable&, const ResourceSubject&, const Occasion&,
                            types::v1::DenialReason);
template CallDecision Judge(const RuleTable&, const TemplateSubject&, const Occasion&,
                            types::v1::DenialReason);
template CallDecision Judge(const RuleTable&, const MethodSubject&, const Occasion&,
                            types::v1::DenialReason);
template CallDecision Judge(const RuleTable&, const ServerRequestSubject&, const Occasion&,
                            types::v1::DenialReason);
template bool CouldPass(const RuleTable&, const NamedSubject&, absl::Time);
template bool CouldPass(const RuleTable&, const ResourceSubject&, absl::Time);

bool TemplateCouldPass(const RuleTable& rules, const UriTemplate& uri_template, absl::Time now) {
  const TemplateSubject subject{uri_template, "resources/read"};
  if (CouldPass(rules, subject, now)) return true;
  const auto shuts = [&](const CompiledRule& rule) {
    return HoldsAt(rule, now) && subject.Restricts(rule);
  };
  if (subject.AnyOf(rules.deny, shuts) || subject.AnyOf(rules.others, shuts)) return false;
  return subject.AnyOf(rules.require_approval,
                       [&](const CompiledRule& rule) { return subject.Reaches(rule); });
}

UsableCapabilities CapabilitiesOf(const RuleTable& rules, absl::Time now) {
  const auto method = [&](std::string_view name) {
    return CouldPass(rules, MethodSubject{name}, now);
  };
  const auto request = [&](std::string_view word) {
    return CouldPass(rules, ServerRequestSubject{word}, now);
  };
  const auto asks = [](const CompiledRule& rule) {
    const bool names_tools = !rule.tools.empty() || AnyMatches(rule.methods, "tools/call");
    return names_tools && (rule.effect == CompiledRule::Effect::kRequireApproval ||
                           rule.on_unknown == types::v1::ON_UNKNOWN_ASK);
  };
  UsableCapabilities usable;
  usable.tools = AnyCouldPass(rules, &CompiledRule::tools, "tools/call", now);
  usable.approved_tools =
      usable.tools && (rules.require_approval.AnyOf(asks) || rules.allow.AnyOf(asks));
  usable.resources = AnyCouldPass(rules, &CompiledRule::resources, "resources/read", now);
  usable.subscriptions = usable.resources && method("resources/subscribe");
  usable.prompts = AnyCouldPass(rules, &CompiledRule::prompts, "prompts/get", now);
  usable.completions = method("completion/complete") && (usable.resources || usable.prompts);
  usable.logging = method("logging/setLevel");
  usable.task_extension = usable.tools && method("tasks/get");
  usable.tasks = usable.task_extension && method("tasks/result");
  usable.task_list = usable.tasks && method("tasks/list");
  usable.task_cancel = usable.tasks && method("tasks/cancel");
  usable.sampling = request("sampling");
  usable.elicitation = request("elicitation");
  usable.roots = request("roots");
  return usable;
}

}  // namespace sallyport
