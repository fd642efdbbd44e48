#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// Reading one value out of a call's arguments, from the bytes that the server will get.
namespace sallyport {

// The steps of an RFC 6901 pointer, unescaped. kInvalidArgument for what is no pointer.
absl::StatusOr<std::vector<std::string>> ParsePointer(std::string_view pointer);

struct Argument {
  enum class State : std::uint8_t {
    kMissing,
    kFound,
    // A member name twice on the way, no JSON, arguments that are no object: servers may differ.
    kAmbiguous,
  };
  State state = State::kMissing;
  // The value's bytes, without the white space around it.
  std::string_view value = {};
};

// `arguments` may be empty: then everything is missing.
Argument FindArgument(std::string_view arguments, const std::vector<std::string>& steps);

// The same from any value on; `value` is not empty.
Argument FindWithin(std::string_view value, const std::vector<std::string>& steps);

// What a JSON string means; `literal` with its quotes. nullopt: bad escapes or a lone surrogate.
std::optional<std::string> DecodeJsonString(std::string_view literal);

}  // namespace sallyport
