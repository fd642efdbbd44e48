#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

// The exact value of a JSON number: 1000, 1e3 and 1000.0 are equal, 9007199254740993 and
// 9007199254740992 are not.
class Decimal {
 public:
  // nullopt: not a JSON number, or one whose exponent is beyond all reason (more than 15 digits).
  static std::optional<Decimal> Parse(std::string_view literal);

  bool operator==(const Decimal&) const = default;
  std::strong_ordering operator<=>(const Decimal& other) const;

  // What a reader of doubles makes of it: equal for all decimals that are one double, and in the
  // same order as these. See NearestDouble.
  Decimal AsDouble() const;

  // The same text for equal values, and for no others.
  std::string ToString() const;

 private:
  std::strong_ordering CompareMagnitude(const Decimal& other) const;

  bool is_negative_ = false;
  // Without zeros at either end; empty for zero.
  std::string digits_;
  // Of the last digit.
  std::int64_t exponent_ = 0;
};

}  // namespace sallyport
