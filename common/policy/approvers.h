#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "sallyport/types/v1/approval.pb.h"
#include "sallyport/types/v1/principal.pb.h"

// Who may decide. Approvers and owners are written `realm:group` or `realm:subject`, split at the
// first colon.
namespace sallyport {

// One person under whichever issuer entry, kind or client: realm and subject are equal.
bool IsSamePerson(const types::v1::Principal& a, const types::v1::Principal& b);

// Whether one of `names` is a group of the principal or the principal itself.
bool IsAmong(const types::v1::Principal& principal, absl::Span<const std::string> names);

// Ok, or kPermissionDenied with APPROVER_NOT_ELIGIBLE and the rule that was broken: `person` must
// be of kind user and among `approvers`, not be the requester, and not be among `owners` (those of
// the requesting principal, CompiledPolicies::OwnersOf).
absl::Status CheckApprover(const types::v1::Principal& person,
                           const types::v1::Principal& requester,
                           absl::Span<const std::string> approvers,
                           absl::Span<const std::string> owners);
// By the requester, the approvers and the owners that the approval names.
absl::Status CheckApprover(const types::v1::Principal& person, const types::v1::Approval& approval);

// Who has approved it, `realm:subject`, in their order.
std::vector<std::string> ApprovedBy(const types::v1::Approval& approval);

// Who has denied it, and why, after "it was": `denied by okta:alice: not today`.
std::string DenialWords(const types::v1::Approval& approval);

// The realm of `realm:group`; empty where there is no colon.
std::string_view RealmOf(std::string_view name);

}  // namespace sallyport
