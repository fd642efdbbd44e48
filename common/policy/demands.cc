#include "common/policy/demands.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/argument.h"
#include "common/policy/canonical_value.h"
#include "common/policy/json_reader.h"
#include "common/strings.h"

namespace sallyport {
namespace {

// How many objects a value lists; nullopt: it cannot be read, or says nothing.
std::optional<std::uint64_t> CountObjects(std::string_view value) {
  if (value == "null") return std::nullopt;
  std::uint64_t count = 0;
  const auto one_more = [&](auto&&...) {
    ++count;
    return true;
  };
  if (value[0] == '[') {
    return JsonReader(value).Elements(one_more) ? std::optional(count) : std::nullopt;
  }
  if (value[0] == '{') {
    return JsonReader(value).Members(one_more) ? std::optional(count) : std::nullopt;
  }
  return 1;
}

}  // namespace

void Demands::Refuse(const CompiledRule& rule, types::v1::DenialReason reason, std::string detail) {
  // Whichever rule comes first: what cannot be judged beats what is too much.
  if (refusal_ && (refusal_->reason == reason ||
                   refusal_->reason == types::v1::DENIAL_REASON_CONDITION_FAILED)) {
    return;
  }
  refusal_ = {.verdict = Verdict::kDeny,
              .reason = reason,
              .policy = rule.policy->name,
              .rule = rule.index,
              .detail = std::move(detail)};
}

void Demands::AddOnce(const CompiledRule& rule) {
  OnceDemand demand{.key = {},
                    .within = rule.once->within,
                    .policy = rule.policy->name,
                    .rules = {rule.index},
                    .by = rule.once->by};
  AppendPart(server_, demand.key);
  for (const std::string& pointer : demand.by) AppendPart(pointer, demand.key);
  for (std::size_t i = 0; i < rule.once->steps.size(); ++i) {
    const Argument argument = arguments_.Find(rule.once->steps[i]);
    if (argument.state == Argument::State::kMissing) {
      return Refuse(rule, types::v1::DENIAL_REASON_CONDITION_FAILED,
                    absl::StrCat(ToAbsl(kNothingToPassOnce), demand.by[i]));
    }
    const std::optional<std::string> value =
        argument.state == Argument::State::kFound ? CanonicalValue(argument.value) : std::nullopt;
    if (!value) {
      return Refuse(rule, types::v1::DENIAL_REASON_CONDITION_FAILED, std::string(kReadInTwoWays));
    }
    AppendPart(*value, demand.key);
  }
  // Each policy has its say, though what is reserved is the same.
  const auto same = std::find_if(once_.begin(), once_.end(), [&](const OnceDemand& other) {
    return other.policy == demand.policy && other.key == demand.key;
  });
  if (same == once_.end()) {
    once_.push_back(std::move(demand));
  } else {
    same->within = std::max(same->within, demand.within);
    same->rules.push_back(rule.index);
  }
}

void Demands::AddLimit(const CompiledRule& rule) {
  const CompiledLimit& limit = *rule.limit;
  const Argument argument = arguments_.Find(limit.steps);
  const std::optional<std::uint64_t> objects =
      argument.state == Argument::State::kFound ? CountObjects(argument.value) : std::nullopt;
  if (!objects) {
    return Refuse(rule, types::v1::DENIAL_REASON_CONDITION_FAILED,
                  argument.state == Argument::State::kAmbiguous
                      ? std::string(kReadInTwoWays)
                      : absl::StrCat(ToAbsl(kNothingToCount), limit.count));
  }
  if (limit.per_call != 0 && *objects > limit.per_call) {
    return Refuse(
        rule, types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
        absl::StrCat("the call touches ", *objects, " objects, and one call may ", limit.per_call));
  }
  if (limit.per_window == 0) return;
  if (*objects > limit.per_window) {
    return Refuse(rule, types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  absl::StrCat("the call touches ", *objects,
                               " objects, and all calls of a window may ", limit.per_window));
  }
  LimitDemand demand{.objects = *objects,
                     .per_window = limit.per_window,
                     .window = limit.window,
                     .policy = rule.policy->name,
                     .rules = {rule.index},
                     .count = limit.count};
  const auto same = std::find_if(limits_.begin(), limits_.end(), [&](const LimitDemand& other) {
    return other.policy == demand.policy && other.count == demand.count &&
           other.per_window == demand.per_window && other.window == demand.window;
  });
  if (same == limits_.end()) {
    limits_.push_back(std::move(demand));
  } else {
    same->rules.push_back(rule.index);
  }
}

void Demands::AddCounted(const CompiledRule& rule) {
  const Argument argument = arguments_.Find(rule.limit->steps);
  if (argument.state != Argument::State::kFound) return;
  const std::optional<std::uint64_t> objects = CountObjects(argument.value);
  if (!objects) return;
  counted_.push_back(
      {.objects = *objects, .policy = rule.policy->name, .count = rule.limit->count});
}

void Demands::Add(const CompiledRule& rule) {
  if (rule.once) AddOnce(rule);
  if (rule.limit) AddLimit(rule);
  AddOnUnknown(rule);
}

void Demands::AddOnUnknown(const CompiledRule& rule) {
  on_unknown_ = std::max(on_unknown_, rule.on_unknown);
  if (rule.on_unknown == types::v1::ON_UNKNOWN_ASK) {
    asked_.Add(rule.approvers, rule.count, rule.expires_after);
  }
}

CallDecision Demands::Complete(CallDecision decision) && {
  if (refusal_) return *std::move(refusal_);
  // What the limit of any rule counts is counted once.
  for (LimitDemand& counted : counted_) {
    const auto is_same = [&](const LimitDemand& limit) { return limit.count == counted.count; };
    if (std::none_of(limits_.begin(), limits_.end(), is_same))
      limits_.push_back(std::move(counted));
  }
  decision.once = std::move(once_);
  decision.limits = std::move(limits_);
  decision.on_unknown = on_unknown_;
  if (on_unknown_ != types::v1::ON_UNKNOWN_ASK || decision.verdict == Verdict::kRequireApproval) {
    return decision;
  }
  // Nobody whom all of them would ask: nobody is.
  if (asked_.approvers().empty()) {
    decision.on_unknown = types::v1::ON_UNKNOWN_DENY;
    return decision;
  }
  decision.approvers = asked_.approvers();
  decision.count = asked_.count();
  decision.expires_after = asked_.expires_after();
  return decision;
}

}  // namespace sallyport
