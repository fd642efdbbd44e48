#include "controlplane/access/opening_answer.h"

#include <string>

#include "common/denial.h"

namespace sallyport::controlplane {

using access::v1::OpenSessionResponse;

OpenSessionResponse Refusal(types::v1::DenialReason reason, std::string_view message) {
  OpenSessionResponse response;
  response.set_denial_reason(reason);
  response.set_message(std::string(message));
  return response;
}

OpenSessionResponse Refusal(const absl::Status& denied) {
  return Refusal(ReasonOf(denied), std::string(denied.message()));
}

std::optional<types::v1::ObservedOpening> ObservedIn(const OpenDecision& decision) {
  if (!decision.observed.has_value()) return std::nullopt;
  types::v1::ObservedOpening observed;
  observed.set_reason(decision.observed->reason);
  observed.set_policy(decision.observed->policy);
  return observed;
}

}  // namespace sallyport::controlplane
