#include "common/policy/argument.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/policy/json_reader.h"
#include "common/strings.h"

namespace sallyport {
namespace {

// Walked through again for each question, which costs less than to remember what is where.
constexpr std::size_t kShortBytes = 4096;

constexpr Argument kMissing = {Argument::State::kMissing, {}};
constexpr Argument kAmbiguous = {Argument::State::kAmbiguous, {}};

// Takes a character off the front of `text`; letters that differ in case alone give the same one.
char TakeFolded(std::string_view& text) {
  constexpr std::string_view kLongS = "\u017f", kKelvin = "\u212a";
  for (const auto& [letter, small] : {std::pair(kLongS, 's'), std::pair(kKelvin, 'k')}) {
    if (!text.starts_with(letter)) continue;
    text.remove_prefix(letter.size());
    return small;
  }
  const char c = absl::ascii_tolower(static_cast<unsigned char>(text.front()));
  text.remove_prefix(1);
  return c;
}

bool IsEqualFolded(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (TakeFolded(a) != TakeFolded(b)) return false;
  }
  return a.empty() && b.empty();
}

// What is of the name among members that are shown one by one. A second one makes the call
// ambiguous, and so does one whose name differs in case alone, for many readers (Go's
// encoding/json) take it as well.
class NamedMember {
 public:
  explicit NamedMember(std::string_view name) : name_(name) {}

  // False: it is ambiguous.
  bool See(std::string_view key, std::string_view value) {
    const std::string_view inside = key.substr(1, key.size() - 2);
    if (inside.find('\\') == std::string_view::npos) return SeeNamed(inside, value);
    const std::optional<std::string> decoded = DecodeJsonString(key);
    return decoded && SeeNamed(*decoded, value);
  }
  const Argument& found() const { return found_; }

 private:
  bool SeeNamed(std::string_view name, std::string_view value) {
    if (name != name_) return !IsEqualFolded(name, name_);
    if (found_.state == Argument::State::kFound) return false;
    found_ = {Argument::State::kFound, value};
    return true;
  }

  std::string_view name_;
  Argument found_ = kMissing;
};

Argument FindMember(std::string_view object, std::string_view name) {
  NamedMember member(name);
  const bool is_clear = JsonReader(object).Members(
      [&](std::string_view key, std::string_view value) { return member.See(key, value); });
  return is_clear ? member.found() : kAmbiguous;
}

std::string_view Trimmed(std::string_view json) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(json.find_first_not_of(kSpace), json.size());
  return json.substr(begin, json.find_last_not_of(kSpace) + 1 - begin);
}

// RFC 6901: digits without leading zeros. nullopt: no index.
std::optional<std::size_t> ParseIndex(std::string_view step) {
  if (step.empty() || step.size() > 9 || (step.size() > 1 && step[0] == '0')) return std::nullopt;
  std::size_t index = 0;
  for (char c : step) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

Argument FindElement(std::string_view array, std::string_view step) {
  const std::optional<std::size_t> index = ParseIndex(step);
  if (!index) return kMissing;
  Argument found = kMissing;
  std::size_t i = 0;
  const bool is_clear = JsonReader(array).Elements([&](std::string_view value) {
    if (i++ == *index) found = {Argument::State::kFound, value};
    return true;
  });
  return is_clear ? found : kAmbiguous;
}

void AppendUtf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::optional<unsigned> TakeHex4(std::string_view& text) {
  if (text.size() < 4) return std::nullopt;
  unsigned value = 0;
  for (char c : text.substr(0, 4)) {
    value <<= 4;
    if (c >= '0' && c <= '9') {
      value += static_cast<unsigned>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      value += static_cast<unsigned>((c | 0x20) - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  text.remove_prefix(4);
  return value;
}

// `text` is what follows `\u`.
bool DecodeUnicodeEscape(std::string_view& text, std::string& out) {
  const std::optional<unsigned> first = TakeHex4(text);
  if (!first || (*first >= 0xdc00 && *first < 0xe000)) return false;
  if (*first < 0xd800 || *first >= 0xe000) {
    AppendUtf8(out, *first);
    return true;
  }
  if (!text.starts_with("\\u")) return false;
  text.remove_prefix(2);
  const std::optional<unsigned> second = TakeHex4(text);
  if (!second || *second < 0xdc00 || *second >= 0xe000) return false;
  AppendUtf8(out, 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00));
  return true;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParsePointer(std::string_view pointer) {
  std::vector<std::string> steps;
  if (!pointer.empty() && pointer[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", ToAbsl(pointer), "\" is no JSON pointer: it must begin with /"));
  }
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      steps.emplace_back();
    } else if (pointer[i] != '~') {
      steps.back() += pointer[i];
    } else if (i + 1 < pointer.size() && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
      steps.back() += pointer[++i] == '0' ? '~' : '/';
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", ToAbsl(pointer), "\" is no JSON pointer: ~ must be followed by 0 or 1"));
    }
  }
  return steps;
}

Argument FindArgument(std::string_view arguments, const std::vector<std::string>& steps) {
  JsonReader root(arguments);
  if (root.is_done()) return kMissing;
  if (!root.IsAt('{')) return kAmbiguous;
  const std::string_view object = root.TakeValue();
  if (object.empty() || !root.is_done()) return kAmbiguous;
  return FindWithin(object, steps);
}

const Arguments::Inside& Arguments::Look(std::string_view container) const {
  const auto [at, is_new] = looked_into_.try_emplace(container.data());
  Inside& inside = at->second;
  if (!is_new) return inside;
  const auto keep = [&](std::string_view name, std::string_view value) {
    inside.values.emplace_back(name, value);
    return true;
  };
  JsonReader reader(container);
  inside.is_clear = container[0] == '{'
                        ? reader.Members(keep)
                        : reader.Elements([&](std::string_view value) { return keep({}, value); });
  return inside;
}

Argument Arguments::Find(const std::vector<std::string>& steps) const {
  if (json_.size() <= kShortBytes) return FindArgument(json_, steps);
  const std::string_view object = Trimmed(json_);
  if (object.empty()) return kMissing;
  if (object[0] != '{') return kAmbiguous;
  Argument at = {Argument::State::kFound, object};
  for (const std::string& step : steps) {
    const bool is_object = at.value[0] == '{';
    if (!is_object && at.value[0] != '[') return kMissing;
    const Inside& inside = Look(at.value);
    if (!inside.is_clear) return kAmbiguous;
    if (is_object) {
      NamedMember member(step);
      for (const auto& [name, value] : inside.values) {
        if (!member.See(name, value)) return kAmbiguous;
      }
      at = member.found();
    } else {
      const std::optional<std::size_t> index = ParseIndex(step);
      const bool is_there = index && *index < inside.values.size();
      at = is_there ? Argument{Argument::State::kFound, inside.values[*index].second} : kMissing;
    }
    if (at.state != Argument::State::kFound) return at;
  }
  return at;
}

Argument FindWithin(std::string_view value, const std::vector<std::string>& steps) {
  Argument at = {Argument::State::kFound, value};
  for (const std::string& step : steps) {
    if (at.value[0] == '{') {
      at = FindMember(at.value, step);
    } else if (at.value[0] == '[') {
      at = FindElement(at.value, step);
    } else {
      return kMissing;
    }
    if (at.state != Argument::State::kFound) return at;
  }
  return at;
}

std::optional<std::string> DecodeJsonString(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != '"' || literal.back() != '"') return std::nullopt;
  std::string_view text = literal.substr(1, literal.size() - 2);
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    const char c = text[0];
    if (static_cast<unsigned char>(c) < 0x20 || c == '"') return std::nullopt;
    text.remove_prefix(1);
    if (c != '\\') {
      decoded += c;
      continue;
    }
    if (text.empty()) return std::nullopt;
    const char escape = text[0];
    text.remove_prefix(1);
    if (escape == 'u') {
      if (!DecodeUnicodeEscape(text, decoded)) return std::nullopt;
      continue;
    }
    constexpr std::string_view kEscapes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t at = kEscapes.find(escape);
    if (at == std::string_view::npos) return std::nullopt;
    decoded += kMeanings[at];
  }
  return decoded;
}

}  // namespace sallyport
