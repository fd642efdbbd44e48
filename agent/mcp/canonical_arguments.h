#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "agent/mcp/json_index.h"

namespace sallyport::agent {

enum class Numbers : std::uint8_t {
  // By their literal: 1 and 1.0 differ, for a server may tell them apart. Of what is granted.
  kAsWritten,
  // Those that are one double are one number, for a server may not tell them apart. Of what is
  // refused a second time.
  kAsDoubles,
};

// One form for all spellings of the same arguments: no white space, members sorted by the bytes of
// their decoded names, strings decoded and escaped in one way. What an approval's digest is made
// over. `json`: one JSON value; empty means none and gives an empty result. message_invalid when it
// is not clean JSON.
absl::StatusOr<std::string> CanonicalArguments(std::string_view json,
                                               Numbers numbers = Numbers::kAsWritten);

// The same for a value that has been read.
std::string CanonicalValue(const JsonIndex& index, const JsonNode& value);
// The same for an object, without those of its own members that `is_left_out` names.
std::string CanonicalObject(const JsonIndex& index, const JsonNode& object,
                            absl::FunctionRef<bool(std::string_view)> is_left_out);

}  // namespace sallyport::agent
