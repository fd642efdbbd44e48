#include "common/nearest_double.h"

#include <catch2/catch.hpp>

namespace sallyport {
namespace {

TEST_CASE("numbers that are one double have one text, and no others", "[common]") {
  struct Row {
    const char* number;
    const char* nearest;
  };
  const Row row = GENERATE(
      Row{"7", "7"}, Row{"7.0", "7"}, Row{"70e-1", "7"}, Row{"7.00000000000000000001", "7"},
      Row{"6.9999999999999999999", "7"}, Row{"7.000000000000001", "7.000000000000001"},
      Row{"99.99999999999999999999999", "100"}, Row{"0.1", "0.1"}, Row{"-0.10", "-0.1"},
      Row{"9007199254740993", "9007199254740992"}, Row{"9007199254740992", "9007199254740992"},
      Row{"0", "0"}, Row{"-0", "0"}, Row{"1e-400", "0"}, Row{"-1e-999999999999999", "0"},
      Row{"3e-324", "5e-324"}, Row{"1e400", "1e309"}, Row{"-1e999999999999999", "-1e309"},
      Row{"0e999999999999999", "0"});
  INFO(row.number);
  CHECK(NearestDouble(row.number) == row.nearest);
}

TEST_CASE("a long number is read to its last digit", "[common]") {
  // Half way between two doubles, and beyond it by one in its last place.
  const std::string half = "1.00000000000000011102230246251565404236316680908203125";
  CHECK(NearestDouble(half) == "1");
  CHECK(NearestDouble(half + std::string(5000, '0') + "1") == "1.0000000000000002");
  CHECK(NearestDouble("0." + std::string(100'000, '0') + "1e100001") == "1");
  CHECK(NearestDouble("1" + std::string(100'000, '0') + "e-100000") == "1");
}

}  // namespace
}  // namespace sallyport
