#include "common/policy/open_refusal.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/strings.h"

namespace sallyport {

std::string WhyRefused(const OpenDecision& decision, std::string_view server) {
  switch (decision.reason) {
    case types::v1::DENIAL_REASON_SERVER_UNKNOWN:
      return absl::StrCat("there is no server ", ToAbsl(server), " that you may use");
    case types::v1::DENIAL_REASON_SCOPE_MISSING:
      return absl::StrCat("the token lacks scopes; needed: ",
                          absl::StrJoin(decision.required_scopes, " "));
    case types::v1::DENIAL_REASON_LOCKED:
      return absl::StrCat("access is shut by lock ", decision.lock, ": ask an administrator");
    default:
      return absl::StrCat("the policies for server ", ToAbsl(server), " cannot be met",
                          decision.detail.empty() ? "" : ": ", decision.detail);
  }
}

}  // namespace sallyport
