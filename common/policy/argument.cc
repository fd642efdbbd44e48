#include "common/policy/argument.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Walks over JSON that a scan has already judged, and still trusts nothing: every step says whether
// it was possible.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool Take(char c) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool IsAt(char c) {
    SkipSpace();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool is_done() {
    SkipSpace();
    return at_ == text_.size();
  }

  // The literal of a string, with its quotes; empty: there is none.
  std::string_view TakeString() {
    SkipSpace();
    const std::size_t begin = at_;
    if (at_ == text_.size() || text_[at_] != '"') return {};
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return text_.substr(begin, at_ - begin);
      }
    }
    return {};
  }

  // The bytes of one value; empty: there is none.
  std::string_view TakeValue() {
    SkipSpace();
    if (at_ == text_.size()) return {};
    const std::size_t begin = at_;
    if (text_[at_] == '"') return TakeString();
    if (text_[at_] == '{' || text_[at_] == '[') {
      return SkipNested() ? text_.substr(begin, at_ - begin) : std::string_view();
    }
    while (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != ',' && text_[at_] != '}' &&
           text_[at_] != ']') {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  bool SkipNested() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (TakeString().empty()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

constexpr Argument kMissing = {Argument::State::kMissing, {}};
constexpr Argument kAmbiguous = {Argument::State::kAmbiguous, {}};

// nullopt: the name cannot be read.
std::optional<bool> IsNamed(std::string_view literal, std::string_view name) {
  const std::string_view inside = literal.substr(1, literal.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return inside == name;
  const std::optional<std::string> decoded = DecodeJsonString(literal);
  if (!decoded) return std::nullopt;
  return *decoded == name;
}

// All members are looked at: a second one of the name makes the call ambiguous.
Argument FindMember(std::string_view object, std::string_view name) {
  Reader reader(object);
  Argument found = kMissing;
  if (!reader.Take('{')) return kAmbiguous;
  if (reader.Take('}')) return kMissing;
  do {
    const std::string_view key = reader.TakeString();
    if (key.empty() || !reader.Take(':')) return kAmbiguous;
    const std::string_view value = reader.TakeValue();
    if (value.empty()) return kAmbiguous;
    const std::optional<bool> is_named = IsNamed(key, name);
    if (!is_named) return kAmbiguous;
    if (!*is_named) continue;
    if (found.state == Argument::State::kFound) return kAmbiguous;
    found = {Argument::State::kFound, value};
  } while (reader.Take(','));
  if (!reader.Take('}')) return kAmbiguous;
  return found;
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
  Reader reader(array);
  if (!reader.Take('[')) return kAmbiguous;
  if (reader.Take(']')) return kMissing;
  for (std::size_t i = 0;; ++i) {
    const std::string_view value = reader.TakeValue();
    if (value.empty()) return kAmbiguous;
    if (i == *index) return {Argument::State::kFound, value};
    if (reader.Take(',')) continue;
    return reader.Take(']') ? kMissing : kAmbiguous;
  }
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
  Reader root(arguments);
  if (root.is_done()) return kMissing;
  if (!root.IsAt('{')) return kAmbiguous;
  Argument at = {Argument::State::kFound, root.TakeValue()};
  if (at.value.empty() || !root.is_done()) return kAmbiguous;
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
