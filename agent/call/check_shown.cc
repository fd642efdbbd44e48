#include "agent/call/check_shown.h"

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/shown_limits.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

absl::Status Check(std::string_view what, std::string_view shown, std::size_t max_bytes) {
  if (shown.size() <= max_bytes) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE,
                absl::StrCat("the call cannot be shown to the control plane or to an approver: ",
                             ToAbsl(what), " would be longer than ", max_bytes >> 10, " KiB"));
}

}  // namespace

absl::Status CheckShown(const CallForApprover& shown) {
  RETURN_IF_ERROR(Check("what it names", shown.target, kMaxCallNameBytes));
  RETURN_IF_ERROR(Check("its arguments", shown.arguments, kMaxShownBytes));
  return Check("what else its params hold", shown.other_params, kMaxShownBytes);
}

absl::Status CheckShownDefinition(std::string_view shown) {
  return Check("its tool's definition", shown, kMaxShownBytes);
}

}  // namespace sallyport::agent
