#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/policy/compiled_policies.h"
#include "sallyport/types/v1/approval.pb.h"

namespace sallyport::controlplane {

// Whether the yes of somebody whom a lock shuts out by now is among its decisions.
bool HasYesOfLockedOut(const types::v1::Approval& approval, const CompiledPolicies& policies,
                       absl::Time now);

// OK where those who have approved it would be enough, were it asked for now under `policies`:
// `count` of them among `approvers`, none of them an owner of the requesting service, none of them
// locked out. APPROVAL_REVOKED where it is for a lock that they are not; POLICY_CHANGED otherwise.
absl::Status CheckApprovedEnough(const types::v1::Approval& approval,
                                 absl::Span<const std::string> approvers, uint32_t count,
                                 const CompiledPolicies& policies, absl::Time now);

}  // namespace sallyport::controlplane
