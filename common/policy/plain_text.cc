#include "common/policy/plain_text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "common/utf8.h"

namespace sallyport {
namespace {

// NUL: nothing.
char AsciiOf(char32_t c) {
  if (c >= 0xff01 && c <= 0xff5e) return static_cast<char>(c - 0xff01 + '!');
  if (c >= 0x2000 && c <= 0x200a) return ' ';
  switch (c) {
    case 0xa0:  // no-break space, and its kin
    case 0x202f:
    case 0x205f:
    case 0x3000:
      return ' ';
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

// Default_Ignorable_Code_Point of Unicode.
bool IsIgnorable(char32_t c) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  constexpr Range kRanges[] = {
      {0xad, 0xad},       {0x34f, 0x34f},    {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
      {0x180b, 0x180f},   {0x200b, 0x200f},  {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
      {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},  {0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3},
      {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [&](const Range& range) { return c >= range.first && c <= range.last; });
}

}  // namespace

std::string PlainText(std::string_view text) {
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

std::string WithoutSpacesBefore(std::string text) {
  return text.erase(0, text.find_first_not_of(' '));
}

std::string WithoutSpacesBehind(std::string text) {
  return text.erase(text.find_last_not_of(' ') + 1);
}

}  // namespace sallyport
