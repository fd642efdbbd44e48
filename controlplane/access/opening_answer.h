#pragma once

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "common/policy/decision.h"
#include "sallyport/access/v1/access_service.pb.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// What openings are answered with, for this folder alone.

access::v1::OpenSessionResponse Refusal(types::v1::DenialReason reason, std::string_view message);
// `denied` has a reason.
access::v1::OpenSessionResponse Refusal(const absl::Status& denied);

// What a policy that only observes would have said. nullopt: there is none.
std::optional<types::v1::ObservedOpening> ObservedIn(const OpenDecision& decision);

}  // namespace sallyport::controlplane
