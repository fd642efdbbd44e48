#include "common/policy/clear_arguments.h"

#include <re2/re2.h>

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "common/policy/argument.h"
#include "common/policy/json_reader.h"

namespace sallyport {
namespace {

// An agent's limits of a message (JsonLimits), in which arguments stand two objects deep.
constexpr int kMaxDepth = 62;
constexpr std::size_t kMaxMembers = 4096;
constexpr std::size_t kMaxNumberChars = 64;

bool IsNumber(std::string_view literal) {
  static const re2::RE2 form(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)");
  return re2::RE2::FullMatch(re2::StringPiece(literal.data(), literal.size()), form);
}

class ClearWalk {
 public:
  std::string_view Run(std::string_view arguments) && {
    JsonReader root(arguments);
    if (!root.IsAt('{')) return kNoObject;
    const std::string_view object = root.TakeValue();
    if (object.empty() || !root.is_done()) return kNoObject;
    if (!See(object, 0) && why_.empty()) why_ = kNoObject;
    return why_;
  }

 private:
  static constexpr std::string_view kNoObject = "not one JSON object";

  bool Fail(std::string_view why) {
    if (why_.empty()) why_ = why;
    return false;
  }

  bool See(std::string_view value, int depth) {
    switch (value[0]) {
      case '{':
        return ++depth <= kMaxDepth ? SeeObject(value, depth) : Fail("nested too deep");
      case '[':
        return ++depth <= kMaxDepth ? SeeArray(value, depth) : Fail("nested too deep");
      case '"':
        return DecodeJsonString(value) || Fail("a bad escape or a control character in a string");
      default:
        return SeeWord(value);
    }
  }

  bool SeeWord(std::string_view value) {
    if (value == "true" || value == "false" || value == "null") return true;
    if (!IsNumber(value)) return Fail(kNoObject);
    return value.size() <= kMaxNumberChars || Fail("a number is too long");
  }

  bool SeeArray(std::string_view value, int depth) {
    return JsonReader(value).Elements(
        [&](std::string_view element) { return See(element, depth); });
  }

  bool SeeObject(std::string_view value, int depth) {
    std::unordered_set<std::string> names;
    return JsonReader(value).Members([&](std::string_view literal, std::string_view member) {
      std::optional<std::string> name = DecodeJsonString(literal);
      if (!name) return Fail("a bad escape or a control character in a string");
      if (name->find('\0') != std::string::npos) return Fail("a member name holds a NUL");
      if (!names.insert(*std::move(name)).second) return Fail("a member name is repeated");
      if (names.size() > kMaxMembers) return Fail("too many members in an object");
      return See(member, depth);
    });
  }

  std::string_view why_;
};

}  // namespace

std::string_view WhyNotClear(std::string_view arguments) { return ClearWalk().Run(arguments); }

}  // namespace sallyport
