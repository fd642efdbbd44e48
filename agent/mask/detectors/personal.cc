#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "agent/mask/detectors/detector.h"

namespace sallyport::agent {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsWord(char c) { return IsDigit(c) || IsLetter(c) || c == '_'; }

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

// Digits in one run, or in the groups that cards are printed in, with one kind of separator.
std::optional<Match> ReadCard(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxDigits = 19;
  constexpr std::size_t kMinDigits = 13;
  constexpr std::size_t kMaxGroups = 5;
  char digits[kMaxDigits];
  std::size_t n = 0;
  std::size_t groups[kMaxGroups] = {};
  std::size_t group = 0;
  char separator = 0;
  std::size_t end = at;
  for (; end < text.size(); ++end) {
    const char c = text[end];
    if (IsDigit(c)) {
      if (n == kMaxDigits) return std::nullopt;
      digits[n++] = c;
      ++groups[group];
      continue;
    }
    const bool separates = (c == ' ' || c == '-') && (separator == 0 || c == separator) &&
                           end + 1 < text.size() && IsDigit(text[end + 1]) &&
                           group + 1 < kMaxGroups && groups[group] >= 4;
    if (!separates) break;
    separator = c;
    ++group;
  }
  if (n < kMinDigits) return std::nullopt;
  if (end < text.size()) {
    if (IsWord(text[end])) return std::nullopt;
    if (text[end] == '.' && end + 1 < text.size() && IsDigit(text[end + 1])) return std::nullopt;
  }
  if (at > 0) {
    const char before = text[at - 1];
    if (IsWord(before)) return std::nullopt;
    if ((before == '.' || before == '-' || before == '+') && at > 1 && IsWord(text[at - 2]))
      return std::nullopt;
  }
  if (group > 0) {
    if (groups[0] != 4) return std::nullopt;
    const bool is_fours =
        std::all_of(groups, groups + group, [](std::size_t size) { return size == 4; });
    const bool is_amex = group == 2 && groups[1] == 6 && (groups[2] == 5 || groups[2] == 4);
    if (!is_fours && !is_amex) return std::nullopt;
  }
  const std::string_view number(digits, n);
  if (number.find_first_not_of(number[0]) == std::string_view::npos) return std::nullopt;
  if (!HasIssuer(number) || !PassesLuhn(number)) return std::nullopt;
  return Match{at, end};
}

std::optional<Match> ReadEmail(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxLocal = 64;
  constexpr std::size_t kMaxDomain = 255;
  std::size_t begin = at;
  while (begin > 0 && at - begin < kMaxLocal &&
         (IsWord(text[begin - 1]) || std::strchr(".%+-", text[begin - 1]) != nullptr) &&
         text[begin - 1] != '\0') {
    --begin;
  }
  while (begin < at && (text[begin] == '.' || text[begin] == '-' || text[begin] == '%')) ++begin;
  if (begin == at || text[at - 1] == '.') return std::nullopt;
  std::size_t end = at + 1;
  while (end < text.size() && end - at <= kMaxDomain &&
         (IsDigit(text[end]) || IsLetter(text[end]) || text[end] == '.' || text[end] == '-')) {
    ++end;
  }
  while (end > at + 1 && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
  const std::string_view domain = text.substr(at + 1, end - at - 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || domain.find("..") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view top = domain.substr(dot + 1);
  if (top.size() < 2 || !std::all_of(top.begin(), top.end(), IsLetter)) return std::nullopt;
  // getty@tty1.service is a unit of systemd.
  constexpr std::string_view kUnits[] = {"service", "socket",    "timer", "target",
                                         "mount",   "automount", "swap",  "slice",
                                         "scope",   "device",    "path"};
  if (std::find(std::begin(kUnits), std::end(kUnits), top) != std::end(kUnits)) return std::nullopt;
  // user:password@host and git@host:path are no addresses.
  const std::string_view local = text.substr(begin, at - begin);
  if (local == "git") return std::nullopt;
  std::size_t word = begin;
  while (word > 0 && at - word<kMaxDomain&& static_cast<unsigned char>(text[word - 1])> 0x20) {
    --word;
  }
  const std::string_view before = text.substr(word, begin - word);
  const std::size_t scheme = before.rfind("://");
  if (scheme != std::string_view::npos &&
      before.find_first_of("/?#", scheme + 3) == std::string_view::npos) {
    return std::nullopt;
  }
  return Match{begin, end};
}

class PersonalScan {
 public:
  PersonalScan(std::string_view text, std::vector<PersonalMatch>& found)
      : text_(text), found_(found) {}

  void OnDigits(std::size_t at) {
    if (at < digits_done_) return;
    if (const auto match = ReadCard(text_, at)) {
      found_.push_back({Detector::kCard, *match});
      digits_done_ = match->end;
    }
  }
  void OnAtSign(std::size_t at) {
    if (const auto match = ReadEmail(text_, at)) found_.push_back({Detector::kEmail, *match});
  }

 private:
  std::string_view text_;
  std::vector<PersonalMatch>& found_;
  std::size_t digits_done_ = 0;
};

}  // namespace

void FindPersonal(std::string_view text, std::vector<PersonalMatch>& found) {
  PersonalScan scan(text, found);
  const char* const p = text.data();
  std::size_t i = 0;
  bool was_digit = false;
#if defined(__SSE2__)
  const __m128i below = _mm_set1_epi8('0' - 1);
  const __m128i above = _mm_set1_epi8('9' + 1);
  const __m128i at_sign = _mm_set1_epi8('@');
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i));
    const auto digits = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpgt_epi8(v, below), _mm_cmplt_epi8(v, above))));
    unsigned starts = digits & ~(digits << 1 | (was_digit ? 1u : 0u));
    was_digit = (digits >> 15 & 1) != 0;
    for (; starts != 0; starts &= starts - 1) {
      scan.OnDigits(i + static_cast<unsigned>(__builtin_ctz(starts)));
    }
    auto at_signs = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, at_sign)));
    for (; at_signs != 0; at_signs &= at_signs - 1) {
      scan.OnAtSign(i + static_cast<unsigned>(__builtin_ctz(at_signs)));
    }
  }
#endif
  for (; i < text.size(); ++i) {
    if (IsDigit(p[i]) && !was_digit) scan.OnDigits(i);
    was_digit = IsDigit(p[i]);
    if (p[i] == '@') scan.OnAtSign(i);
  }
}

}  // namespace sallyport::agent
