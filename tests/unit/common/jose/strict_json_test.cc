#include "common/jose/strict_json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace sallyport::jose {
namespace {

TEST_CASE("what can be read in two ways is refused where it stands", "[jose]") {
  using namespace std::string_literals;
  struct Row {
    std::string text;
    std::string why;
    std::size_t least;
  };
  const auto row = GENERATE(values<Row>({
      {R"({"a":1,"a":2})", "repeated member name", 10},
      {R"({"a":{"b":1},"\u0061":2})", "repeated member name", 21},
      {"{}\0{}"s, "holds a NUL", 2},
      {"{\"a\":1}\0"s, "holds a NUL", 7},
      {"\xef\xbb\xbf{}", "begins with a byte order mark", 0},
      {"{}\n\n[]", "not valid JSON", 4},
      {"[[[[]]]]", "nested too deep", 4},
  }));
  INFO(row.text);
  std::size_t stopped_at = 99;
  const auto parsed = ParseStrictJson(row.text, 3, &stopped_at);
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.status().message() == row.why);
  CHECK(stopped_at >= row.least);
  CHECK(stopped_at <= row.least + 1);
}

TEST_CASE("what is read in one way is taken", "[jose]") {
  CHECK(ParseStrictJson(R"( {"a":[1,"\u0000"]} )", 3)->dump() == R"({"a":[1,"\u0000"]})");
}

}  // namespace
}  // namespace sallyport::jose
