#pragma once

#include <cstddef>
#include <string_view>

namespace sallyport {

// Walks over JSON that a scan has already judged, and still trusts nothing: every step says whether
// it was possible. For this folder alone.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

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
    for (std::size_t quote = begin; (quote = text_.find('"', quote + 1)) != text_.npos;) {
      if (IsEscaped(begin, quote)) continue;
      at_ = quote + 1;
      return text_.substr(begin, at_ - begin);
    }
    at_ = text_.size();
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

  // All elements of an array, in order. False when it is none, or as soon as `visit` says so.
  template <class Visit>
  bool Elements(Visit visit) {
    if (!Take('[')) return false;
    if (Take(']')) return is_done();
    do {
      const std::string_view value = TakeValue();
      if (value.empty() || !visit(value)) return false;
    } while (Take(','));
    return Take(']') && is_done();
  }

  // All members of an object, in order, the name as a literal with its quotes. False when it is
  // none, or as soon as `visit` says so.
  template <class Visit>
  bool Members(Visit visit) {
    if (!Take('{')) return false;
    if (Take('}')) return is_done();
    do {
      const std::string_view name = TakeString();
      if (name.empty() || !Take(':')) return false;
      const std::string_view value = TakeValue();
      if (value.empty() || !visit(name, value)) return false;
    } while (Take(','));
    return Take('}') && is_done();
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  // The quote in the string that begins at `begin` stands behind an odd number of backslashes.
  bool IsEscaped(std::size_t begin, std::size_t quote) const {
    std::size_t at = quote;
    while (at - 1 > begin && text_[at - 1] == '\\') --at;
    return (quote - at) % 2 == 1;
  }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }

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

}  // namespace sallyport
