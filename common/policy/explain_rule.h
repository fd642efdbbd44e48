#pragma once

#include "common/policy/compiled_policy.h"
#include "common/policy/explain.h"
#include "sallyport/types/v1/explanation.pb.h"

namespace sallyport {

// Whether the rule matches and why, or why not. For this folder alone.
types::v1::RuleExplanation ExplainRule(const CompiledRule& rule, const Question& question);

}  // namespace sallyport
