#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport::jose {

// One JSON value and nothing after it. kInvalidArgument, saying which, for: invalid UTF-8 or a byte
// order mark, a repeated member name (after unescaping), more than `max_depth` levels of objects
// and arrays, a number beyond a double's range, and what is no JSON. Needs no stack for depth, and
// never throws. `stopped_at`, where it is not null, is how far the text was read.
absl::StatusOr<nlohmann::json> ParseStrictJson(std::string_view text, int max_depth,
                                               std::size_t* stopped_at = nullptr);

}  // namespace sallyport::jose
