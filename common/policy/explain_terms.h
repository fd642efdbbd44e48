#pragma once

#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/decision.h"
#include "sallyport/types/v1/explanation.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport {

// The terms of an opening that is allowed, as far as a document sets them, and which documents make
// each what it is. `policies`: those that name the principal for the server. `spec`: the server's
// document; null: it has none. A policy that observes at `now` asks for no approval and no request.
std::vector<types::v1::TermExplanation> ExplainTerms(
    const OpenDecision& open, const std::vector<const CompiledPolicy*>& policies,
    std::string_view server, const types::v1::ServerSpec* spec, absl::Time now);

}  // namespace sallyport
