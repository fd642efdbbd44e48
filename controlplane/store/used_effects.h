#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controlplane/model/reserved_call.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

// What the calls of a server have used up of what a rule gives out by number.
namespace sallyport::controlplane::used_effects {

// Whether the rule's `once` lets the effect of that digest be had now. ALREADY_DONE or
// OUTCOME_UNKNOWN where a call about the rule's tools, whoever made it, holds it; what `repeated`
// hold does not stand in its way.
absl::Status CheckOnce(Transaction& t, std::string_view server, const types::v1::RuleBody& rule,
                       std::string_view digest, const std::vector<ReservedCall>& repeated,
                       absl::Time now);

// Whether the rule's `limit`, with its window, has room for so many objects of a call of the
// principal. LIMIT_EXCEEDED: it has none.
absl::Status CheckLimit(Transaction& t, const types::v1::Principal& principal,
                        std::string_view server, const types::v1::RuleBody& rule, uint64_t objects,
                        absl::Time now);

}  // namespace sallyport::controlplane::used_effects
