#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/policy/compiled_policy.h"

namespace sallyport {

// Fills `rule` but for `policy` and `index`. `place` is what errors call it, `rules[2]`; `session`
// is where it takes what it leaves out. kInvalidArgument, beginning with the place, for a rule that
// does not mean exactly one thing.
absl::Status CompileRule(const std::string& place, const types::v1::Rule& source,
                         const types::v1::SessionTerms& session, CompiledRule& rule);

// The window of a limit in a policy of these terms, whatever shorter ones others set for the
// session: a shorter window lets more through.
absl::Duration WindowOf(const types::v1::ObjectLimit& limit,
                        const types::v1::SessionTerms& session);

}  // namespace sallyport
