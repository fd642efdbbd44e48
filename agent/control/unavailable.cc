#include "agent/control/unavailable.h"

#include <utility>

#include "common/denial.h"

namespace sallyport::agent {

absl::Status ControlPlaneError(absl::Status status) {
  if (ReasonOf(status) != types::v1::DENIAL_REASON_UNSPECIFIED) return status;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return Denied(types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE,
                    "the control plane does not answer");
    default:
      return status;
  }
}

bool IsWorthRetrying(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace sallyport::agent
