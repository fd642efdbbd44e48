#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "agent/mask/detectors/detector.h"

// What the detectors share: kinds of characters, and the readers that have a file of their own.
namespace sallyport::agent {

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
inline bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
inline bool IsLetter(char c) { return IsUpper(c) || IsLower(c); }
inline bool IsAlnum(char c) { return IsDigit(c) || IsLetter(c); }
inline bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The end of the run of characters that `is` takes, from `at`.
template <class Is>
std::size_t RunEnd(std::string_view text, std::size_t at, Is is) {
  while (at < text.size() && is(text[at])) ++at;
  return at;
}

// A card number whose first digit is at `at`, before which no digit stands.
std::optional<Match> ReadCard(std::string_view text, std::size_t at);
// False: no card begins with these two digits.
inline bool MayBeginCard(char first, char second) {
  constexpr unsigned kAll = 0x3ff;
  // For each first digit the second ones, a bit each.
  constexpr unsigned kSecond[10] = {0, 0, 0x0fc, 0x3f1, kAll, 0x03f, 0x0bd, 0, 0, 0};
  return (kSecond[first - '0'] >> (second - '0') & 1) != 0;
}

// An address whose at sign is at `at`.
std::optional<Match> ReadEmail(std::string_view text, std::size_t at);
// An address from `begin` on would be the user:password@host of the URL whose `://` is at `scheme`,
// the last one before `at`, the at sign. In a list of URLs and addresses it would not.
bool IsInUserinfo(std::string_view text, std::size_t scheme, std::size_t begin, std::size_t at);

// The secret part of `user:password@` behind the `://` at `at`.
std::optional<Match> ReadUrlCredentials(std::string_view text, std::size_t at,
                                        std::size_t& barren_until);

}  // namespace sallyport::agent
