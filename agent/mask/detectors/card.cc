#include <algorithm>
#include <array>

#include "agent/mask/detectors/readers.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMinDigits = 13;
constexpr std::size_t kMaxDigits = 19;
// One more than a card has: what follows it must not hide it.
constexpr std::size_t kMaxGroups = 6;

bool PassesLuhn(std::string_view digits) {
  int sum = 0;
  bool is_doubled = false;
  for (auto it = digits.rbegin(); it != digits.rend(); ++it) {
    int value = *it - '0';
    if (is_doubled) {
      value *= 2;
      if (value > 9) value -= 9;
    }
    sum += value;
    is_doubled = !is_doubled;
  }
  return sum % 10 == 0;
}

// An issuer's range, with the lengths it issues.
bool HasIssuer(std::string_view digits) {
  const std::size_t n = digits.size();
  int first6 = 0;
  for (const char c : digits.substr(0, 6)) first6 = first6 * 10 + (c - '0');
  const int first4 = first6 / 100;
  const int first3 = first6 / 1000;
  const int first2 = first6 / 10000;
  if (first2 / 10 == 4) return n == 13 || n == 16 || n == 19;  // Visa
  if (first2 >= 51 && first2 <= 55) return n == 16;            // Mastercard
  if (first4 >= 2221 && first4 <= 2720) return n == 16;        // Mastercard
  if (first2 == 34 || first2 == 37) return n == 15;            // American Express
  if (first4 == 6011 || first2 == 65 || (first3 >= 644 && first3 <= 649))
    return n == 16 || n == 19;                                            // Discover
  if ((first3 >= 300 && first3 <= 305) || first3 == 309) return n == 14;  // Diners
  if (first2 == 36 || first2 == 38 || first2 == 39) return n == 14;       // Diners
  if (first4 >= 3528 && first4 <= 3589) return n >= 16 && n <= 19;        // JCB
  if (first2 == 62) return n >= 16 && n <= 19;                            // UnionPay
  if (first4 == 5018 || first4 == 5020 || first4 == 5038 || first4 == 6304 || first4 == 6759) {
    return n >= 13 && n <= 19;  // Maestro
  }
  return false;
}

bool IsSeparator(char c) { return c == ' ' || c == '-' || c == '.' || c == '/' || c == '_'; }

// Digits in groups with one kind of separator between them.
struct Groups {
  std::array<char, kMaxDigits + 1> digits{};
  std::array<std::size_t, kMaxGroups> sizes{};
  std::array<std::size_t, kMaxGroups> ends{};
  std::size_t count = 0;
};

Groups ReadGroups(std::string_view text, std::size_t at) {
  Groups groups;
  std::size_t n = 0;
  char separator = 0;
  while (groups.count < kMaxGroups) {
    const std::size_t begin = at;
    for (; at < text.size() && IsDigit(text[at]); ++at) {
      if (n == kMaxDigits + 1) return groups;  // the group before was the last that fits
      groups.digits[n++] = text[at];
    }
    groups.sizes[groups.count] = at - begin;
    groups.ends[groups.count] = at;
    ++groups.count;
    if (at + 1 >= text.size() || !IsSeparator(text[at]) || !IsDigit(text[at + 1])) break;
    if (separator != 0 && text[at] != separator) break;
    separator = text[at++];
  }
  return groups;
}

// In the groups that cards are printed in, the first `count` of them: four each, or as American
// Express and Diners do.
bool IsPrinted(const Groups& groups, std::size_t count) {
  if (count == 1) return true;
  const auto& sizes = groups.sizes;
  if (count == 3 && sizes[0] == 4 && sizes[1] == 6 && (sizes[2] == 5 || sizes[2] == 4)) return true;
  return std::all_of(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                     [](std::size_t size) { return size == 4; }) &&
         sizes[count - 1] <= 4;
}

// Letters may stand right before and behind a card (`card4111...`), but a word that has digits of
// its own is an identifier.
bool IsFreeBefore(std::string_view text, std::size_t at) {
  std::size_t word = at;
  while (word > 0 && IsLetter(text[word - 1])) --word;
  if (word < at) return word == 0 || !IsDigit(text[word - 1]);
  if (at < 2) return true;
  const bool is_joined = text[at - 1] == '.' || text[at - 1] == '-' || text[at - 1] == '+';
  return !is_joined || !IsDigit(text[at - 2]);
}

bool IsFreeBehind(std::string_view text, std::size_t end) {
  const std::size_t word_end = RunEnd(text, end, IsLetter);
  return word_end == end || word_end == text.size() || !IsDigit(text[word_end]);
}

// `.0`, `.00`: a spreadsheet's way to write a whole number. The end of it; npos: it is a fraction.
std::size_t FractionEnd(std::string_view text, std::size_t end) {
  if (end + 1 >= text.size() || text[end] != '.' || !IsDigit(text[end + 1])) return end;
  const std::size_t zeros_end = RunEnd(text, end + 1, [](char c) { return c == '0'; });
  const std::size_t next =
      zeros_end < text.size() && text[zeros_end] == '.' ? zeros_end + 1 : zeros_end;
  const bool is_whole = next == text.size() || !IsDigit(text[next]);
  return is_whole ? zeros_end : std::string_view::npos;
}

}  // namespace

std::optional<Match> ReadCard(std::string_view text, std::size_t at) {
  if (!IsFreeBefore(text, at)) return std::nullopt;
  const Groups groups = ReadGroups(text, at);
  for (std::size_t count = groups.count; count > 0; --count) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i) n += groups.sizes[i];
    if (n < kMinDigits) return std::nullopt;
    if (n > kMaxDigits || !IsPrinted(groups, count)) continue;
    const std::string_view number(groups.digits.data(), n);
    if (number.find_first_not_of(number[0]) == std::string_view::npos) continue;
    if (!HasIssuer(number) || !PassesLuhn(number)) continue;
    std::size_t end = groups.ends[count - 1];
    if (count == 1) end = FractionEnd(text, end);
    if (end == std::string_view::npos || !IsFreeBehind(text, end)) continue;
    return Match{at, end};
  }
  return std::nullopt;
}

}  // namespace sallyport::agent
