#pragma once

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "agent/mcp/json_index.h"

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
// The same for an object that has been read, without those of its own members that `is_left_out`
// names.
std::string CanonicalObject(const JsonIndex& index, const JsonNode& object,
                            absl::FunctionRef<bool(std::string_view)> is_left_out);

}  // namespace sallyport::agent
