#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::agent {

// The value of a JSON number, to the last digit: no two numbers are taken for one, as they are when
// they are read as doubles.
class ExactNumber {
 public:
  // nullopt: the text is no JSON number, or its exponent has more than nine digits.
  static std::optional<ExactNumber> Parse(std::string_view text);

  // By value: 42, 42.0 and 4.2e1 are one number, and so are 0 and -0.
  bool operator==(const ExactNumber&) const = default;

  // A whole number that other readers cannot keep apart from its neighbours: beyond 2^53 - 1 on
  // either side of zero.
  bool is_unsafe_integer() const;

  // In decimal and without an exponent, as in 42, -7 and 0.5; nullopt: that would be long.
  std::optional<std::string> Plain() const;

 private:
  bool is_negative_ = false;
  // 0.<digits_> times ten to the exponent_; no zero at either end. Zero has no digits.
  std::string digits_;
  std::int64_t exponent_ = 0;
};

}  // namespace sallyport::agent
