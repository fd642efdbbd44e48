#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport {

// A refusal: a status that carries its reason. The code follows from the reason: not identified is
// kUnauthenticated, identified and refused kPermissionDenied, wrong state kFailedPrecondition, try
// again kUnavailable, over a limit kResourceExhausted, malformed kInvalidArgument, unknown to this
// caller kNotFound. `reason` must not be UNSPECIFIED.
absl::Status Denied(types::v1::DenialReason reason, std::string_view message);

// The code that Denied gives.
absl::StatusCode CodeOf(types::v1::DenialReason reason);

// UNSPECIFIED when `status` is ok or carries no reason.
types::v1::DenialReason ReasonOf(const absl::Status& status);

// The same status with the reason attached; its code stays. `status` must not be ok.
absl::Status WithReason(absl::Status status, types::v1::DenialReason reason);

// The glossary's word: `token_missing`. Empty for UNSPECIFIED and for values this program does not
// know.
std::string_view ReasonName(types::v1::DenialReason reason);

// UNSPECIFIED when it is no reason's name.
types::v1::DenialReason ReasonFromName(std::string_view name);

}  // namespace sallyport
