#include "common/policy/decimal.h"

#include <catch2/catch.hpp>

namespace sallyport {
namespace {

TEST_CASE("decimals are equal when the numbers are, however they are written", "[policy]") {
  struct Row {
    const char* a;
    const char* b;
    bool are_equal;
  };
  const Row row = GENERATE(
      Row{"1000", "1e3", true}, Row{"1000", "1000.0", true}, Row{"1000", "10.00E+2", true},
      Row{"1000", "100000e-2", true}, Row{"0", "-0", true}, Row{"0", "0e99", true},
      Row{"0.0", "0", true}, Row{"9007199254740993", "9007199254740992", false},
      Row{"0.1", "0.10", true}, Row{"0.1", "1e-1", true}, Row{"1", "-1", false},
      Row{"1", "10", false}, Row{"1e999999", "1e999999", true}, Row{"1e999999", "1e999998", false},
      Row{"123.456", "123456e-3", true}, Row{"1e00000000000000000003", "1000", true});
  INFO(row.a << " and " << row.b);
  const auto a = Decimal::Parse(row.a);
  const auto b = Decimal::Parse(row.b);
  REQUIRE(a);
  REQUIRE(b);
  CHECK((*a == *b) == row.are_equal);
}

TEST_CASE("decimals that are one double are equal as doubles, and others are in order",
          "[policy]") {
  const auto as_double = [](const char* literal) { return Decimal::Parse(literal)->AsDouble(); };
  CHECK(as_double("7.00000000000000000001") == as_double("7"));
  CHECK(as_double("9007199254740993") == as_double("9007199254740992"));
  CHECK(as_double("9007199254740993") > as_double("9007199254740991"));
  CHECK(as_double("-1e-400") == as_double("0"));
  CHECK(as_double("1e400") == as_double("1e999999999999999"));
  CHECK(as_double("1e400") > as_double("1.7976931348623157e308"));
  CHECK(as_double("-1e400") < as_double("-1.7976931348623157e308"));
  CHECK(as_double("0.1") == *Decimal::Parse("0.1"));
  CHECK(as_double("999999999999999e285") == *Decimal::Parse("999999999999999e285"));
}

TEST_CASE("what JSON takes for no number is none", "[policy]") {
  const char* literal = GENERATE("", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "1 ", " 1",
                                 "NaN", "Infinity", "1e1e1", "1.2.3", "--1", "1e9999999999999999");
  INFO(literal);
  CHECK_FALSE(Decimal::Parse(literal));
}

}  // namespace
}  // namespace sallyport
