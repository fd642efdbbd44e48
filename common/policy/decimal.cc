#include "common/policy/decimal.h"

#include <cstddef>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/nearest_double.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxExponentDigits = 15;

// No two decimals of so few digits, and of such a size, are one double.
constexpr std::size_t kDigitsOfDoubles = 15;
constexpr std::int64_t kSizeOfDoubles = 300;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view TakeDigits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && IsDigit(text[n])) ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

// What stands after `e`, or nullopt.
std::optional<std::int64_t> ParseExponent(std::string_view& text) {
  bool is_negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    is_negative = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string_view digits = TakeDigits(text);
  if (digits.empty()) return std::nullopt;
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  if (digits.size() > kMaxExponentDigits) return std::nullopt;
  std::int64_t value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  return is_negative ? -value : value;
}

}  // namespace

std::optional<Decimal> Decimal::Parse(std::string_view literal) {
  Decimal decimal;
  if (!literal.empty() && literal[0] == '-') {
    decimal.is_negative_ = true;
    literal.remove_prefix(1);
  }
  const std::string_view whole = TakeDigits(literal);
  if (whole.empty() || (whole.size() > 1 && whole[0] == '0')) return std::nullopt;
  std::string_view fraction;
  if (!literal.empty() && literal[0] == '.') {
    literal.remove_prefix(1);
    fraction = TakeDigits(literal);
    if (fraction.empty()) return std::nullopt;
  }
  if (!literal.empty() && (literal[0] == 'e' || literal[0] == 'E')) {
    literal.remove_prefix(1);
    const std::optional<std::int64_t> exponent = ParseExponent(literal);
    if (!exponent) return std::nullopt;
    decimal.exponent_ = *exponent;
  }
  if (!literal.empty()) return std::nullopt;

  decimal.digits_.reserve(whole.size() + fraction.size());
  decimal.digits_.append(whole).append(fraction);
  decimal.exponent_ -= static_cast<std::int64_t>(fraction.size());
  while (!decimal.digits_.empty() && decimal.digits_.back() == '0') {
    decimal.digits_.pop_back();
    ++decimal.exponent_;
  }
  const std::size_t zeros = decimal.digits_.find_first_not_of('0');
  if (zeros == std::string::npos) return Decimal();  // zero has no sign and no exponent
  decimal.digits_.erase(0, zeros);
  return decimal;
}

std::strong_ordering Decimal::CompareMagnitude(const Decimal& other) const {
  if (digits_.empty() || other.digits_.empty()) return digits_.size() <=> other.digits_.size();
  // Where the first digit stands; then digit by digit, since none ends in zeros.
  const std::int64_t first = exponent_ + static_cast<std::int64_t>(digits_.size());
  const std::int64_t others_first =
      other.exponent_ + static_cast<std::int64_t>(other.digits_.size());
  if (first != others_first) return first <=> others_first;
  return digits_.compare(other.digits_) <=> 0;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  if (is_negative_ != other.is_negative_) {
    return is_negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return is_negative_ ? other.CompareMagnitude(*this) : CompareMagnitude(other);
}

Decimal Decimal::AsDouble() const {
  const std::int64_t first = exponent_ + static_cast<std::int64_t>(digits_.size());
  if (digits_.size() <= kDigitsOfDoubles && std::abs(first) < kSizeOfDoubles) return *this;
  return Parse(NearestDouble(ToString())).value_or(*this);
}

std::string Decimal::ToString() const {
  return absl::StrCat(is_negative_ ? "-" : "", digits_.empty() ? "0" : digits_, "e", exponent_);
}

}  // namespace sallyport
