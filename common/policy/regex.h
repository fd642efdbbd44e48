#pragma once

#include <re2/re2.h>

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport {

// Linear in the text whatever the pattern. kInvalidArgument, with RE2's own words, for a pattern it
// does not take or that would need more than 1 MiB.
absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRegex(std::string_view pattern);

}  // namespace sallyport
