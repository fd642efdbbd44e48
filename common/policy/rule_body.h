#pragma once

#include <string_view>

#include "sallyport/types/v1/policy.pb.h"

namespace sallyport {

// What a rule says, whichever its effect is.
const types::v1::RuleBody& BodyOf(const types::v1::Rule& rule);
types::v1::RuleBody& MutableBodyOf(types::v1::Rule& rule);

// Whether one of its `tools` does, in some reading.
bool NamesTool(const types::v1::RuleBody& body, std::string_view tool);

}  // namespace sallyport
