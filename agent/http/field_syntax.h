#pragma once

#include <array>
#include <string_view>

#include "absl/strings/match.h"

// The characters of HTTP fields (RFC 9110, section 5).
namespace sallyport::agent {

inline constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

inline bool IsTokenChar(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

inline bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!IsTokenChar(c)) return false;
  }
  return !text.empty();
}

// Visible, space, tab, or a byte above ASCII: what a received field value may hold.
inline bool IsFieldChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
// All of it, without a way out in the middle, so that the compiler can take many bytes at once: a
// token is a kilobyte.
inline bool IsFieldText(std::string_view text) {
  unsigned char bad = 0;
  for (const char c : text) bad |= static_cast<unsigned char>(!IsFieldChar(c));
  return bad == 0;
}

// Names of fields and schemes are equal whatever their case.
inline bool EqualsNoCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()),
                                                        absl::string_view(b.data(), b.size()));
}

inline std::string_view TrimFieldSpace(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace sallyport::agent
