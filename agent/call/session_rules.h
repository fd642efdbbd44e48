#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "agent/control/agent_snapshot.h"
#include "agent/mask/mask_engine.h"
#include "agent/mask/mask_plan.h"
#include "common/policy/session_policy.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::agent {

// What holds for a token's principal in a session under one snapshot. Immutable.
struct SessionRules {
  std::shared_ptr<const AgentSnapshot> snapshot;
  std::shared_ptr<const types::v1::Principal> principal;
  std::shared_ptr<const SessionPolicy> policy;
  std::shared_ptr<const MaskPlan> mask_plan;
  bool records_content = true;
};

// Makes rules. A mask plan is kept while somebody uses it and its profiles stay what they are, for
// compiling one takes longer than a call.
class RuleMaker {
 public:
  explicit RuleMaker(std::shared_ptr<const MaskEngine> engine) : engine_(std::move(engine)) {}

  // For a session that was opened as `opened_as`. masker_blocked when the masks that policy asks
  // for cannot be made.
  absl::StatusOr<std::shared_ptr<const SessionRules>> Make(
      std::shared_ptr<const AgentSnapshot> snapshot,
      std::shared_ptr<const types::v1::Principal> principal, const types::v1::Principal& opened_as,
      const std::string& server);

  // For all masks of those names. masker_blocked as Make.
  absl::StatusOr<std::shared_ptr<const MaskPlan>> PlanFor(
      const std::shared_ptr<const AgentSnapshot>& snapshot, absl::Span<const std::string> names);

 private:
  std::shared_ptr<const MaskEngine> engine_;
  std::shared_ptr<const AgentSnapshot> plans_of_;
  struct Kept {
    std::vector<std::string> names;
    std::shared_ptr<const MaskPlan> plan;
  };
  // By their names in one.
  std::unordered_map<std::string, Kept> plans_;
};

}  // namespace sallyport::agent
