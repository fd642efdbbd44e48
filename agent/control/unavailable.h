#pragma once

#include "absl/status/status.h"

namespace sallyport::agent {

// A failed call to the control plane as its caller sees it: what never got an answer is
// CONTROL_PLANE_UNAVAILABLE, everything else stays.
absl::Status ControlPlaneError(absl::Status status);

// Whether the control plane may take later what it did not take now.
bool IsWorthRetrying(const absl::Status& status);

}  // namespace sallyport::agent
