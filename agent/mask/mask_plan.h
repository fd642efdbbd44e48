#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "agent/mask/mask_engine.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::agent {

// What a policy's `mask` names mean: which detectors, patterns and field rules to look for, and
// what to do with a finding. Immutable, shared by the sessions it holds for.
class MaskPlan {
 public:
  // `names`: a policy's mask list, groups (secrets, pii), detectors or profiles; several add up,
  // and the strictest operator holds (block, drop, replace, token, keep_last). kInvalidArgument,
  // naming it, for an unknown name, a pattern RE2 refuses or an operator we do not have: a session
  // whose plan cannot be made must not open.
  static absl::StatusOr<std::shared_ptr<const MaskPlan>> Compile(
      std::shared_ptr<const MaskEngine> engine, absl::Span<const std::string> names,
      const std::map<std::string, types::v1::MaskProfileSpec>& profiles);

  ~MaskPlan();
  MaskPlan(const MaskPlan&) = delete;
  MaskPlan& operator=(const MaskPlan&) = delete;

  struct Rules;
  const Rules& rules() const { return *rules_; }

 private:
  explicit MaskPlan(std::unique_ptr<Rules> rules);
  std::unique_ptr<Rules> rules_;
};

}  // namespace sallyport::agent
