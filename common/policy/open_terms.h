#pragma once

#include <string>
#include <vector>

#include "common/policy/compiled_policy.h"
#include "common/policy/decision.h"
#include "sallyport/types/v1/principal.pb.h"
#include "sallyport/types/v1/session.pb.h"

// What the policies that name a principal for a server agree on: the strictest of each. For this
// folder alone; the lists are not empty.
namespace sallyport {

// All that is set in EffectiveTerms. `server` null: it has no document.
types::v1::EffectiveTerms TightestTerms(const std::vector<const CompiledPolicy*>& policies,
                                        const types::v1::ServerSpec* server);

// All limits of all of them, of two of one kind the tighter.
std::vector<types::v1::SessionLimit> LimitsOf(const std::vector<const CompiledPolicy*>& policies,
                                              const types::v1::ServerSpec* server);

// Whether the limit that holds is one of those: they are no looser than it.
bool HasLimit(const google::protobuf::RepeatedPtrField<types::v1::SessionLimit>& limits,
              const types::v1::SessionLimit& effective);

// Fills `open`, `approval`, `break_glass` and `observed`, or refuses.
void DecideAdmission(const std::vector<const CompiledPolicy*>& policies,
                     const types::v1::Principal& principal, absl::Time now, OpenDecision& decision);

// In what a session that was opened on `terms` is freer than one that the policies would open now,
// whatever the hour: what the policies do, without their subject. Empty: in nothing.
std::string FreerThan(const std::vector<const CompiledPolicy*>& policies,
                      const types::v1::Principal& principal, const types::v1::ServerSpec* server,
                      const types::v1::EffectiveTerms& terms, absl::Time now);

}  // namespace sallyport
