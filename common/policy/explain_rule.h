#pragma once

#include "common/policy/compiled_policy.h"
#include "common/policy/explain.h"
#include "sallyport/types/v1/explanation.pb.h"

namespace sallyport {

// Whether what is asked is among what the rule speaks for, whatever the arguments. A rule that it
// is not has no part in the answer. For this folder alone.
bool SpeaksFor(const CompiledRule& rule, const Question& question);

// Whether the rule matches and why, or why not. For this folder alone.
types::v1::RuleExplanation ExplainRule(const CompiledRule& rule, const Question& question);

}  // namespace sallyport
