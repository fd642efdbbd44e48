#include "controlplane/access/approved_enough.h"

#include <algorithm>

#include "common/policy/approvers.h"

namespace sallyport::controlplane {

bool IsApprovedEnough(const types::v1::Approval& approval, absl::Span<const std::string> approvers,
                      uint32_t count, absl::Span<const std::string> owners) {
  const auto counts = [&](const types::v1::ApprovalDecision& decision) {
    return decision.approve() &&
           CheckApprover(decision.by(), approval.principal(), approvers, owners).ok();
  };
  return std::ranges::count_if(approval.decisions(), counts) >= std::max<int64_t>(1, count);
}

}  // namespace sallyport::controlplane
