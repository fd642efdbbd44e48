#include "agent/call/session_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

bool HaveSameProfiles(const AgentSnapshot& one, const AgentSnapshot& other,
                      const std::vector<std::string>& names) {
  const auto profile = [](const AgentSnapshot& snapshot, const std::string& name) {
    const auto found = snapshot.mask_profiles().find(name);
    return found == snapshot.mask_profiles().end() ? std::string()
                                                   : found->second.SerializeAsString();
  };
  return std::ranges::all_of(
      names, [&](const auto& name) { return profile(one, name) == profile(other, name); });
}

}  // namespace

absl::StatusOr<std::shared_ptr<const SessionRules>> RuleMaker::Make(
    std::shared_ptr<const AgentSnapshot> snapshot,
    std::shared_ptr<const types::v1::Principal> principal, const types::v1::Principal& opened_as,
    const std::string& server) {
  auto rules = std::make_shared<SessionRules>();
  rules->policy = principal.get() == &opened_as
                      ? SessionPolicy::Bind(snapshot->policies(), *principal, server)
                      : SessionPolicy::Bind(snapshot->policies(), *principal, opened_as, server);
  rules->records_content = rules->policy->recording_content() != types::v1::RECORDING_CONTENT_NONE;
  ASSIGN_OR_RETURN(rules->mask_plan, PlanFor(snapshot, rules->policy->mask_names()));
  rules->snapshot = std::move(snapshot);
  rules->principal = std::move(principal);
  return rules;
}

absl::StatusOr<std::shared_ptr<const MaskPlan>> RuleMaker::PlanFor(
    const std::shared_ptr<const AgentSnapshot>& snapshot, absl::Span<const std::string> names) {
  if (plans_of_ != snapshot) {
    std::erase_if(plans_, [&](const auto& entry) {
      const Kept& kept = entry.second;
      return kept.plan.use_count() <= 1 || !HaveSameProfiles(*plans_of_, *snapshot, kept.names);
    });
    plans_of_ = snapshot;
  }
  Kept& kept = plans_[absl::StrJoin(names, ",")];
  if (kept.plan != nullptr) return kept.plan;
  auto compiled = MaskPlan::Compile(engine_, names, snapshot->mask_profiles());
  if (!compiled.ok()) {
    return Denied(
        types::v1::DENIAL_REASON_MASKER_BLOCKED,
        std::string("the masks cannot be made: ") + std::string(compiled.status().message()));
  }
  kept = {{names.begin(), names.end()}, *std::move(compiled)};
  return kept.plan;
}

}  // namespace sallyport::agent
