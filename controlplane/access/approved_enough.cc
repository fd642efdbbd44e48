#include "controlplane/access/approved_enough.h"

#include <algorithm>
#include <vector>

#include "common/denial.h"
#include "common/policy/approvers.h"

namespace sallyport::controlplane {

bool HasYesOfLockedOut(const types::v1::Approval& approval, const CompiledPolicies& policies,
                       absl::Time now) {
  return std::ranges::any_of(approval.decisions(), [&](const auto& decision) {
    return decision.approve() && !policies.LockOut(decision.by(), now).empty();
  });
}

absl::Status CheckApprovedEnough(const types::v1::Approval& approval,
                                 absl::Span<const std::string> approvers, uint32_t count,
                                 const CompiledPolicies& policies, absl::Time now) {
  const std::vector<std::string> owners = policies.OwnersOf(approval.principal());
  const int64_t needed = std::max<int64_t>(1, count);
  int64_t eligible = 0;
  int64_t locked_out = 0;
  for (const types::v1::ApprovalDecision& decision : approval.decisions()) {
    if (!decision.approve()) continue;
    if (!CheckApprover(decision.by(), approval.principal(), approvers, owners).ok()) continue;
    ++(policies.LockOut(decision.by(), now).empty() ? eligible : locked_out);
  }
  if (eligible >= needed) return absl::OkStatus();
  if (eligible + locked_out >= needed) {
    return Denied(types::v1::DENIAL_REASON_APPROVAL_REVOKED,
                  "a lock shuts out somebody who has approved it: it must be asked for again");
  }
  return Denied(types::v1::DENIAL_REASON_POLICY_CHANGED,
                "the policies in force ask for other or for more approvers");
}

}  // namespace sallyport::controlplane
