#include "agent/mask/whole_number.h"

#include <cstddef>

namespace sallyport::agent {

std::string WholeDigits(std::string_view number) {
  constexpr std::size_t kMin = 13;
  constexpr std::size_t kMax = 19;
  constexpr std::size_t kMaxExponentDigits = 2;
  std::string digits;
  std::size_t at = number.substr(0, 1) == "-" ? 1 : 0;
  std::size_t whole = 0;
  bool has_point = false;
  for (; at < number.size() && number[at] != 'e' && number[at] != 'E'; ++at) {
    if (number[at] == '.') {
      has_point = true;
      continue;
    }
    digits.push_back(number[at]);
    if (!has_point) ++whole;
  }
  if (at < number.size()) {
    ++at;
    const bool is_negative = number.substr(at, 1) == "-";
    if (is_negative || number.substr(at, 1) == "+") ++at;
    if (is_negative || number.size() - at > kMaxExponentDigits) return {};
    std::size_t exponent = 0;
    for (; at < number.size(); ++at)
      exponent = exponent * 10 + static_cast<std::size_t>(number[at] - '0');
    whole += exponent;
  }
  while (digits.size() > whole) {
    if (digits.back() != '0') return {};
    digits.pop_back();
  }
  if (whole < kMin || whole > kMax) return {};
  digits.resize(whole, '0');
  return digits;
}

}  // namespace sallyport::agent
