#pragma once

#include <string>
#include <string_view>

#include "common/policy/decision.h"

namespace sallyport {

// Why an opening is refused, as whoever asked for it may read it: of a server that is not for him
// no more than of one that does not exist.
std::string WhyRefused(const OpenDecision& decision, std::string_view server);

}  // namespace sallyport
