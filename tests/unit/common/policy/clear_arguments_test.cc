#include "common/policy/clear_arguments.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport {
namespace {

TEST_CASE("arguments that every agent refuses are told from others", "[policy]") {
  struct Row {
    std::string arguments;
    const char* why;
  };
  const auto nested = [](int depth) {
    return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  const auto row = GENERATE_COPY(values<Row>({
      {"{}", ""},
      {R"( {"a":[1,-0.5e+7,true,null,"\u0061\ud83d\ude00"],"b":{"a":{}}} )", ""},
      {R"({"a":1e-9999999999999999})", ""},
      {R"({"a":1,"b":{"c":1,"c":2}})", "a member name is repeated"},
      {R"({"a":1,"\u0061":1})", "a member name is repeated"},
      {R"([{"a":1}])", "not one JSON object"},
      {"", "not one JSON object"},
      {R"({"a":1}x)", "not one JSON object"},
      {R"({"a":[01]})", "not one JSON object"},
      {R"({"a":truE})", "not one JSON object"},
      {R"({"a":[1,]})", "not one JSON object"},
      {R"({"a":{"b" 1}})", "not one JSON object"},
      {R"({"a":"\ud800"})", "a bad escape or a control character in a string"},
      {R"({"a\q":1})", "a bad escape or a control character in a string"},
      {R"({"a\u0000":1})", "a member name holds a NUL"},
      {R"({"a":)" + std::string(65, '1') + "}", "a number is too long"},
      {R"({"a":)" + std::string(64, '1') + "}", ""},
      {nested(61), ""},
      {nested(62), "nested too deep"},
  }));
  INFO(row.arguments);
  CHECK(WhyNotClear(row.arguments) == row.why);
}

}  // namespace
}  // namespace sallyport
