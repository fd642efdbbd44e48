#include "common/policy/pattern.h"

#include <algorithm>
#include <cstddef>

#include "common/hex_digit.h"
#include "common/utf8.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxUriBytes = 8192;
// Encoded once more than any server that decodes twice would undo.
constexpr int kDecodings = 3;

bool IsSchemeChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '-' || c == '.';
}

// The length of `scheme:` at the front; 0: there is none.
std::size_t SchemeLength(std::string_view uri) {
  std::size_t i = 0;
  while (i < uri.size() && IsSchemeChar(uri[i])) ++i;
  const bool begins_with_letter = i > 0 && (uri[0] | 0x20) >= 'a' && (uri[0] | 0x20) <= 'z';
  return begins_with_letter && i < uri.size() && uri[i] == ':' ? i + 1 : 0;
}

void LowerScheme(std::string& uri) {
  const std::size_t length = SchemeLength(uri);
  for (std::size_t i = 0; i < length; ++i) {
    if (uri[i] >= 'A' && uri[i] <= 'Z') uri[i] |= 0x20;
  }
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// What readers that normalise Unicode (NFKC, or a code page's best fit) take for ASCII: the
// full-width forms, and other dots and slashes. NUL: nothing.
char AsciiOf(char32_t c) {
  if (c >= 0xff01 && c <= 0xff5e) return static_cast<char>(c - 0xff01 + '!');
  switch (c) {
    case 0x2024:  // one dot leader
    case 0xfe52:  // small full stop
      return '.';
    case 0x2044:  // fraction slash
    case 0x2215:  // division slash
      return '/';
    case 0x2216:  // set minus
    case 0xfe68:  // small reverse solidus
      return '\\';
    default:
      return '\0';
  }
}

// What readers that look at letters alone leave out.
bool IsIgnorable(char32_t c) {
  return c == 0xad || c == 0x34f || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
         (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

// `text` (UTF-8) as such a reader sees it.
std::string Normalised(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    char32_t c = 0;
    const std::size_t length = DecodeUtf8(text, &c);
    if (c == 0x2025 || c == 0x2026) {  // two and three dots in one character
      plain.append(c == 0x2025 ? ".." : "...");
    } else if (const char other = AsciiOf(c); other != '\0') {
      plain += other;
    } else if (!IsIgnorable(c)) {
      plain.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return plain;
}

// Dots alone, or with spaces, which some file systems drop.
bool IsDots(std::string_view name) {
  return name.find('.') != std::string_view::npos &&
         name.find_first_not_of(". ") == std::string_view::npos;
}

// `.`, `..` or more dots between separators, with or without `;parameters`. Every character that
// some server takes for a separator is one.
bool HasDotSegment(std::string_view uri) {
  std::string_view rest = uri.substr(SchemeLength(uri));
  while (true) {
    const std::size_t end = std::min(rest.find_first_of("/\\?#"), rest.size());
    const std::string_view segment = rest.substr(0, end);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (IsDots(name)) return true;
    if (end == rest.size()) return false;
    rest.remove_prefix(end + 1);
  }
}

// Without the empty segments after the authority's `//`, and with `/` for each `\`.
std::string SlashesCollapsed(std::string_view uri) {
  std::size_t begin = SchemeLength(uri);
  if (uri.substr(begin, 2) == "//") begin += 2;
  std::string collapsed(uri.substr(0, begin));
  for (char c : uri.substr(begin)) {
    if (c == '\\') c = '/';
    if (c == '/' && collapsed.size() > begin && collapsed.back() == '/') continue;
    collapsed += c;
  }
  return collapsed;
}

}  // namespace

Glob::Glob(std::string_view pattern) : text_(pattern) {
  while (true) {
    const std::size_t star = pattern.find('*');
    parts_.emplace_back(pattern.substr(0, star));
    if (star == std::string_view::npos) return;
    pattern.remove_prefix(star + 1);
  }
}

bool Glob::Matches(std::string_view text) const {
  if (parts_.size() == 1) return text == parts_[0];
  const std::string& first = parts_.front();
  const std::string& last = parts_.back();
  if (text.size() < first.size() + last.size() || !text.starts_with(first) ||
      !text.ends_with(last)) {
    return false;
  }
  text.remove_prefix(first.size());
  text.remove_suffix(last.size());
  // The leftmost place is always good enough: what follows then has the most room.
  for (std::size_t i = 1; i + 1 < parts_.size(); ++i) {
    const std::size_t at = text.find(parts_[i]);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + parts_[i].size());
  }
  return true;
}

UriPattern::UriPattern(std::string_view pattern) : text_(pattern) {
  if (pattern == "*") {
    tokens_ = {kAnyRun};
    return;
  }
  std::string text(pattern);
  LowerScheme(text);
  prefix_ = text.substr(0, text.find('*'));
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '*') {
      tokens_.push_back(static_cast<unsigned char>(text[i]));
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && text[end] == '*') ++end;
    tokens_.push_back(end - i == 1 ? kStar : kAnyRun);
    i = end - 1;
  }
}

bool UriPattern::Matches(std::string_view uri) const {
  return uri.starts_with(prefix_) && Run(uri, /*is_prefix=*/false);
}

bool UriPattern::CouldMatchAfter(std::string_view prefix) const {
  return Run(prefix, /*is_prefix=*/true);
}

// Backtracks to the last star, and from there to the last `**`: an earlier one need not be tried
// again, for its leftmost match leaves the most room.
bool UriPattern::Run(std::string_view text, bool is_prefix) const {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t t = 0, p = 0;
  std::size_t star_p = kNone, star_t = 0, run_p = kNone, run_t = 0;
  while (true) {
    if (t == text.size()) {
      if (is_prefix) return true;
      while (p < tokens_.size() && (tokens_[p] == kStar || tokens_[p] == kAnyRun)) ++p;
      if (p == tokens_.size()) return true;
    } else if (p < tokens_.size()) {
      if (tokens_[p] == kAnyRun) {
        run_p = ++p;
        run_t = t;
        star_p = kNone;
        continue;
      }
      if (tokens_[p] == kStar) {
        star_p = ++p;
        star_t = t;
        continue;
      }
      if (tokens_[p] == static_cast<unsigned char>(text[t])) {
        ++p;
        ++t;
        continue;
      }
    }
    if (star_p != kNone && star_t < text.size() && text[star_t] != '/') {
      t = ++star_t;
      p = star_p;
    } else if (run_p != kNone && run_t < text.size()) {
      t = ++run_t;
      p = run_p;
      star_p = kNone;
    } else {
      return false;
    }
  }
}

UriForms::UriForms(std::string_view uri) : as_it_stands_(uri) {
  if (uri.empty()) {
    refusal_ = "the uri is empty";
    return;
  }
  if (uri.size() > kMaxUriBytes) {
    refusal_ = "the uri is longer than 8 KiB";
    return;
  }
  const std::size_t scheme = SchemeLength(uri);
  if (std::any_of(uri.begin(), uri.begin() + static_cast<std::ptrdiff_t>(scheme),
                  [](char c) { return c >= 'A' && c <= 'Z'; })) {
    lowered_ = uri;
    LowerScheme(lowered_);
    as_it_stands_ = lowered_;
  }
  std::string decoded;
  for (int i = 0;; ++i) {
    const std::string_view form = i == 0 ? as_it_stands_ : std::string_view(decoded);
    if (!IsUtf8(form)) {
      refusal_ = "the uri is not UTF-8 once it is decoded";
      return;
    }
    if (HasControlCharacter(form)) {
      refusal_ = "the uri holds a control character";
      return;
    }
    std::string normalised = Normalised(form);
    std::string collapsed = SlashesCollapsed(normalised);
    if (HasDotSegment(form) || HasDotSegment(collapsed)) {
      refusal_ = "the uri holds a dot segment";
      return;
    }
    if (collapsed != normalised) others_.push_back(std::move(collapsed));
    if (normalised != form) others_.push_back(std::move(normalised));
    if (form.find('%') == std::string_view::npos) return;
    std::string next = PercentDecoded(form);
    if (next == form) return;
    if (i == kDecodings) {
      refusal_ = "the uri is encoded too many times";
      return;
    }
    LowerScheme(next);
    decoded = std::move(next);
    others_.push_back(decoded);
  }
}

}  // namespace sallyport
