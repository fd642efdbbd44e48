#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
    // On the way a member name twice, or one that differs in case alone; no JSON, arguments that
    // are no object: servers may differ.
    kAmbiguous,
  };
  State state = State::kMissing;
  // The value's bytes, without the white space around it.
  std::string_view value = {};
};

// `arguments` may be empty: then everything is missing.
Argument FindArgument(std::string_view arguments, const std::vector<std::string>& steps);

// The arguments of one call, for as many questions as policy has: of long ones each object and list
// is walked through once. One thread at a time.
class Arguments {
 public:
  // The bytes outlive this.
  explicit Arguments(std::string_view json = {}) : json_(json) {}

  // As FindArgument.
  Argument Find(const std::vector<std::string>& steps) const;

 private:
  // The members of an object, or the elements of a list, without names.
  struct Inside {
    bool is_clear = false;
    std::vector<std::pair<std::string_view, std::string_view>> values;
  };
  const Inside& Look(std::string_view container) const;

  std::string_view json_;
  // By where the container begins.
  mutable std::map<const char*, Inside> looked_into_;
};

// The same from any value on; `value` is not empty.
Argument FindWithin(std::string_view value, const std::vector<std::string>& steps);

// What a JSON string means; `literal` with its quotes. nullopt: bad escapes or a lone surrogate.
std::optional<std::string> DecodeJsonString(std::string_view literal);

}  // namespace sallyport
