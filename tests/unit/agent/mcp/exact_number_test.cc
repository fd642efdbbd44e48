#include "agent/mcp/exact_number.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

ExactNumber N(std::string_view text) {
  const auto number = ExactNumber::Parse(text);
  INFO(text);
  REQUIRE(number.has_value());
  return *number;
}

TEST_CASE("numbers are one by their value, however they are written", "[agent][mcp]") {
  for (const char* same : {"42.0", "4.2e1", "4.2E+1", "420e-1", "42.000", "0.42e2", "42e0"}) {
    INFO(same);
    CHECK(N(same) == N("42"));
  }
  for (const char* zero : {"-0", "0.0", "0e9", "-0.000e-5"}) CHECK(N(zero) == N("0"));
  CHECK(N("-7.5") == N("-75e-1"));
}

TEST_CASE("numbers that doubles cannot keep apart are two", "[agent][mcp]") {
  CHECK_FALSE(N("12345678901234567890") == N("12345678901234567891"));
  CHECK_FALSE(N("9007199254740992") == N("9007199254740993"));
  CHECK_FALSE(N("1e400") == N("1e401"));
  CHECK_FALSE(N("0.1") == N("0.1000000000000000055511151231257827"));
  CHECK_FALSE(N("1") == N("-1"));
  CHECK_FALSE(N("1") == N("10"));
  CHECK_FALSE(N("1") == N("0.1"));
}

TEST_CASE("only what JSON takes for a number is one", "[agent][mcp]") {
  for (const char* text : {"",         "-",     "+1",    "01",           "-01", "1.", ".5",  "1e",
                           "1e+",      "1e-",   "0x10",  "1,0",          " 1",  "1 ", "inf", "NaN",
                           "Infinity", "1e1.5", "1_000", "1e1234567890", "--1", "1-"}) {
    INFO(text);
    CHECK_FALSE(ExactNumber::Parse(text).has_value());
  }
}

TEST_CASE("a number is written in plain decimals where that is short", "[agent][mcp]") {
  CHECK(N("42").Plain() == "42");
  CHECK(N("42.0").Plain() == "42");
  CHECK(N("-7").Plain() == "-7");
  CHECK(N("1e2").Plain() == "100");
  CHECK(N("5e-1").Plain() == "0.5");
  CHECK(N("-1.5e-3").Plain() == "-0.0015");
  CHECK(N("123.456").Plain() == "123.456");
  CHECK(N("-0").Plain() == "0");
  CHECK_FALSE(N("1e400").Plain().has_value());
  CHECK_FALSE(N("1e-400").Plain().has_value());
}

TEST_CASE("an integer is safe up to 2^53 - 1", "[agent][mcp]") {
  CHECK_FALSE(N("9007199254740991").is_unsafe_integer());
  CHECK_FALSE(N("-9007199254740991").is_unsafe_integer());
  CHECK_FALSE(N("9.007199254740991e15").is_unsafe_integer());
  CHECK_FALSE(N("9e15").is_unsafe_integer());
  CHECK(N("9007199254740992").is_unsafe_integer());
  CHECK(N("-9007199254740992").is_unsafe_integer());
  CHECK(N("1e16").is_unsafe_integer());
  CHECK_FALSE(N("9007199254740992.5").is_unsafe_integer());  // no integer
  CHECK_FALSE(N("0.5").is_unsafe_integer());
  CHECK_FALSE(N("0").is_unsafe_integer());
}

}  // namespace
}  // namespace sallyport::agent
