#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport::agent {

// One form for all spellings of the same arguments: no white space, members sorted by the bytes of
// their decoded names, strings decoded and escaped in one way, numbers by their literal (1 and 1.0
// differ: a server may tell them apart). What an approval's digest is made over. `json`: one JSON
// value; empty means none and gives an empty result. message_invalid when it is not clean JSON.
absl::StatusOr<std::string> CanonicalArguments(std::string_view json);

// What else of a call's `params` a person decides on, in that form: an object of what stands beside
// name, uri, ref, arguments and requestState, and of `_meta` what neither the protocol keeps for
// itself nor differs from try to try (the progress token, the trace). Empty: there is nothing else.
// `params` is one JSON object; empty means none.
absl::StatusOr<std::string> OtherParams(std::string_view params);

}  // namespace sallyport::agent
