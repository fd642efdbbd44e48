#include "common/policy/canonical_value.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/argument.h"
#include "common/policy/decimal.h"
#include "common/policy/json_reader.h"
#include "common/strings.h"

namespace sallyport {
namespace {

constexpr int kMaxDepth = 64;

// Every value says by its first byte what it is and ends by itself, so that no two run together.
bool Append(std::string_view value, int depth, std::string& out);

bool AppendText(std::string_view text, std::string& out) {
  out += 's';
  AppendPart(text, out);
  return true;
}

bool AppendObject(std::string_view value, int depth, std::string& out) {
  std::map<std::string, std::string_view> members;
  const bool is_clear =
      JsonReader(value).Members([&](std::string_view name, std::string_view member) {
        std::optional<std::string> decoded = DecodeJsonString(name);
        return decoded && members.emplace(*std::move(decoded), member).second;
      });
  if (!is_clear) return false;
  out += '{';
  for (const auto& [name, member] : members) {
    AppendText(name, out);
    if (!Append(member, depth, out)) return false;
  }
  out += '}';
  return true;
}

bool AppendArray(std::string_view value, int depth, std::string& out) {
  out += '[';
  const bool is_clear = JsonReader(value).Elements(
      [&](std::string_view element) { return Append(element, depth, out); });
  out += ']';
  return is_clear;
}

bool AppendNumber(std::string_view value, std::string& out) {
  const std::optional<Decimal> number = Decimal::Parse(value);
  if (!number) return false;
  absl::StrAppend(&out, "n", number->AsDouble().ToString(), ";");
  return true;
}

bool Append(std::string_view value, int depth, std::string& out) {
  if (value.empty() || depth == kMaxDepth) return false;
  switch (value[0]) {
    case '{':
      return AppendObject(value, depth + 1, out);
    case '[':
      return AppendArray(value, depth + 1, out);
    case '"': {
      const std::optional<std::string> text = DecodeJsonString(value);
      return text && AppendText(*text, out);
    }
    case 't':
    case 'f':
    case 'n':
      if (value != "true" && value != "false" && value != "null") return false;
      out += value[0] == 'n' ? 'z' : value[0];
      return true;
    default:
      return AppendNumber(value, out);
  }
}

}  // namespace

std::optional<std::string> CanonicalValue(std::string_view value) {
  std::string out;
  if (!Append(value, 0, out)) return std::nullopt;
  return out;
}

void AppendPart(std::string_view part, std::string& key) {
  absl::StrAppend(&key, part.size(), ":", ToAbsl(part));
}

}  // namespace sallyport
