#include "agent/call/session_rules.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::agent {

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
    plans_.clear();
    plans_of_ = snapshot;
  }
  std::shared_ptr<const MaskPlan>& plan = plans_[absl::StrJoin(names, ",")];
  if (plan != nullptr) return plan;
  auto compiled = MaskPlan::Compile(engine_, names, snapshot->mask_profiles());
  if (!compiled.ok()) {
    return Denied(
        types::v1::DENIAL_REASON_MASKER_BLOCKED,
        std::string("the masks cannot be made: ") + std::string(compiled.status().message()));
  }
  plan = *std::move(compiled);
  return plan;
}

}  // namespace sallyport::agent
