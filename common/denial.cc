#include "common/denial.h"

#include <array>
#include <cctype>
#include <string>

#include "absl/strings/cord.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using types::v1::DenialReason;

constexpr char kPayload[] = "type.sallyport/denial-reason";
constexpr std::string_view kPrefix = "DENIAL_REASON_";

// Indexed by value; the words are the enum's own names, so that there is one list of them.
std::array<std::string, types::v1::DenialReason_ARRAYSIZE> MakeNames() {
  std::array<std::string, types::v1::DenialReason_ARRAYSIZE> names;
  for (int value = 1; value < types::v1::DenialReason_ARRAYSIZE; ++value) {
    std::string name = types::v1::DenialReason_Name(value);
    if (!name.starts_with(kPrefix)) continue;
    for (char c : name.substr(kPrefix.size())) {
      names[value] += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return names;
}

const std::array<std::string, types::v1::DenialReason_ARRAYSIZE>& Names() {
  static const auto& names = *new auto(MakeNames());
  return names;
}

}  // namespace

absl::Status Denied(DenialReason reason, std::string_view message) {
  return WithReason(absl::Status(CodeOf(reason), ToAbsl(message)), reason);
}

absl::StatusCode CodeOf(DenialReason reason) {
  using enum types::v1::DenialReason;
  switch (reason) {
    case DENIAL_REASON_TOKEN_MISSING:
    case DENIAL_REASON_TOKEN_INVALID:
    case DENIAL_REASON_TOKEN_EXPIRED:
    case DENIAL_REASON_JOIN_TOKEN_INVALID:
      return absl::StatusCode::kUnauthenticated;
    case DENIAL_REASON_SCOPE_MISSING:
    case DENIAL_REASON_SESSION_DENIED:
    case DENIAL_REASON_CLIENT_MISMATCH:
    case DENIAL_REASON_POLICY_DENIED:
    case DENIAL_REASON_CONDITION_FAILED:
    case DENIAL_REASON_APPROVAL_DENIED:
    case DENIAL_REASON_APPROVER_NOT_ELIGIBLE:
    case DENIAL_REASON_LOCKED:
    case DENIAL_REASON_ORIGIN_REFUSED:
    case DENIAL_REASON_HOST_REFUSED:
    case DENIAL_REASON_ROLE_MISSING:
      return absl::StatusCode::kPermissionDenied;
    case DENIAL_REASON_SERVER_UNKNOWN:
      return absl::StatusCode::kNotFound;
    case DENIAL_REASON_SESSION_REQUIRED:
    case DENIAL_REASON_SESSION_PENDING:
    case DENIAL_REASON_SESSION_ENDED:
    case DENIAL_REASON_APPROVAL_PENDING:
    case DENIAL_REASON_APPROVAL_EXPIRED:
    case DENIAL_REASON_APPROVAL_REVOKED:
    case DENIAL_REASON_APPROVAL_CONSUMED:
    case DENIAL_REASON_ARGUMENTS_CHANGED:
    case DENIAL_REASON_DEFINITION_CHANGED:
    case DENIAL_REASON_POLICY_CHANGED:
    case DENIAL_REASON_ALREADY_DONE:
    case DENIAL_REASON_OUTCOME_UNKNOWN:
    case DENIAL_REASON_MASKER_BLOCKED:
      return absl::StatusCode::kFailedPrecondition;
    case DENIAL_REASON_ISSUER_UNAVAILABLE:
    case DENIAL_REASON_NO_SNAPSHOT:
    case DENIAL_REASON_SNAPSHOT_STALE:
    case DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE:
    case DENIAL_REASON_RECORDER_UNAVAILABLE:
    case DENIAL_REASON_SERVER_STARTING:
    case DENIAL_REASON_UPSTREAM_LOST:
      return absl::StatusCode::kUnavailable;
    case DENIAL_REASON_LIMIT_EXCEEDED:
    case DENIAL_REASON_MESSAGE_TOO_LARGE:
      return absl::StatusCode::kResourceExhausted;
    case DENIAL_REASON_METHOD_UNKNOWN:
    case DENIAL_REASON_VERSION_UNSUPPORTED:
      return absl::StatusCode::kUnimplemented;
    case DENIAL_REASON_UPSTREAM_INVALID:
      return absl::StatusCode::kDataLoss;
    case DENIAL_REASON_MESSAGE_INVALID:
      return absl::StatusCode::kInvalidArgument;
    default:
      // A value this program does not know must refuse as well.
      return absl::StatusCode::kPermissionDenied;
  }
}

DenialReason ReasonOf(const absl::Status& status) {
  auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return types::v1::DENIAL_REASON_UNSPECIFIED;
  return ReasonFromName(std::string(*payload));
}

absl::Status WithReason(absl::Status status, DenialReason reason) {
  status.SetPayload(kPayload, absl::Cord(ToAbsl(ReasonName(reason))));
  return status;
}

std::string_view ReasonName(DenialReason reason) {
  if (reason < 0 || reason >= types::v1::DenialReason_ARRAYSIZE) return "";
  return Names()[reason];
}

DenialReason ReasonFromName(std::string_view name) {
  for (int value = 1; value < types::v1::DenialReason_ARRAYSIZE; ++value) {
    if (Names()[value] == name) return static_cast<DenialReason>(value);
  }
  return types::v1::DENIAL_REASON_UNSPECIFIED;
}

}  // namespace sallyport
