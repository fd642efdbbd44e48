#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/policy/compiled_policies.h"
#include "common/policy/decision.h"
#include "common/policy/what_if.h"

// What a decision could have been. For this folder alone.
namespace sallyport {

// `rules[2] of deploy-bots`
std::string RuleName(std::string_view policy, int rule);

// In the words of `policy test`.
std::string_view DecisionWord(const CallDecision& decision);

// What would change the answer to `asked`, a sentence each, the likeliest first. The evaluator was
// asked again under each: a refusal's let it through, together where a sentence names several.
// Where there are too many policies to try, the last says how many more it might be.
std::vector<std::string> ChangesOf(const CompiledPolicies& policies, const Asked& asked,
                                   const OpenDecision& decision);
std::vector<std::string> ChangesOf(const CompiledPolicies& policies, const Asked& asked,
                                   const CallDecision& decision);

}  // namespace sallyport
