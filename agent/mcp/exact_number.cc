#include "agent/mcp/exact_number.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxExponentDigits = 9;
constexpr std::int64_t kMaxPlainZeros = 64;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view TakeDigits(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && IsDigit(text[size])) ++size;
  const std::string_view digits = text.substr(0, size);
  text.remove_prefix(size);
  return digits;
}

bool Take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// What follows the e.
std::optional<std::int64_t> ParseExponent(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  Take(text, "+-");
  const std::string_view digits = TakeDigits(text);
  if (digits.empty() || digits.size() > kMaxExponentDigits || !text.empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return is_negative ? -value : value;
}

}  // namespace

std::optional<ExactNumber> ExactNumber::Parse(std::string_view text) {
  ExactNumber number;
  number.is_negative_ = Take(text, "-");
  const std::string_view whole = TakeDigits(text);
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return std::nullopt;
  std::string_view fraction;
  if (Take(text, ".")) {
    fraction = TakeDigits(text);
    if (fraction.empty()) return std::nullopt;
  }
  if (Take(text, "eE")) {
    const std::optional<std::int64_t> exponent = ParseExponent(text);
    if (!exponent) return std::nullopt;
    number.exponent_ = *exponent;
  } else if (!text.empty()) {
    return std::nullopt;
  }
  number.exponent_ += static_cast<std::int64_t>(whole.size());
  number.digits_.append(whole).append(fraction);
  const std::size_t first = number.digits_.find_first_not_of('0');
  if (first == std::string::npos) return ExactNumber();
  number.exponent_ -= static_cast<std::int64_t>(first);
  number.digits_.erase(0, first);
  number.digits_.erase(number.digits_.find_last_not_of('0') + 1);
  return number;
}

bool ExactNumber::is_unsafe_integer() const {
  constexpr std::string_view kLargest = "9007199254740991";
  const auto places = static_cast<std::int64_t>(kLargest.size());
  if (exponent_ < static_cast<std::int64_t>(digits_.size())) return false;  // it has a fraction
  // Equally long texts of digits compare as numbers do; zeros that were left out compare as less.
  return exponent_ > places || (exponent_ == places && digits_ > kLargest);
}

std::optional<std::string> ExactNumber::Plain() const {
  if (digits_.empty()) return "0";
  const auto size = static_cast<std::int64_t>(digits_.size());
  if (exponent_ > size + kMaxPlainZeros || exponent_ < -kMaxPlainZeros) return std::nullopt;
  std::string plain = is_negative_ ? "-" : "";
  if (exponent_ <= 0) {
    plain.append("0.").append(static_cast<std::size_t>(-exponent_), '0').append(digits_);
  } else if (exponent_ >= size) {
    plain.append(digits_).append(static_cast<std::size_t>(exponent_ - size), '0');
  } else {
    const auto point = static_cast<std::size_t>(exponent_);
    plain.append(digits_, 0, point).append(".").append(digits_, point);
  }
  return plain;
}

}  // namespace sallyport::agent
