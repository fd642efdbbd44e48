#include "common/policy/argument.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport {
namespace {

using State = Argument::State;

Argument Find(std::string_view json, std::string_view pointer) {
  const auto steps = ParsePointer(pointer);
  REQUIRE(steps.ok());
  const Argument found = FindArgument(json, *steps);
  // Long ones are remembered, and asked twice.
  const std::string long_json = std::string(5000, ' ') + std::string(json) + "\n";
  const Arguments arguments(long_json);
  for (int i = 0; i < 2; ++i) {
    const Argument again = arguments.Find(*steps);
    CHECK(again.state == found.state);
    CHECK(again.value == found.value);
  }
  return found;
}

TEST_CASE("a pointer finds the bytes of its value", "[policy]") {
  constexpr std::string_view kJson =
      R"( { "a" : {"b": [1, {"c": 1e3}, "x"] }, "":5, "m~n":6, "q/r":7, "k":null, "\u0061b": "z" } )";
  CHECK(Find(kJson, "/a/b/1/c").value == "1e3");
  CHECK(Find(kJson, "/a/b/2").value == "\"x\"");
  CHECK(Find(kJson, "/").value == "5");
  CHECK(Find(kJson, "/m~0n").value == "6");
  CHECK(Find(kJson, "/q~1r").value == "7");
  CHECK(Find(kJson, "/k").value == "null");
  CHECK(Find(kJson, "/ab").value == "\"z\"");
  CHECK(Find(kJson, "/a/b").value == R"([1, {"c": 1e3}, "x"])");
}

TEST_CASE("what is not there is missing", "[policy]") {
  constexpr std::string_view kJson = R"({"a":{"b":[1,2]},"s":"t"})";
  const char* pointer = GENERATE("/b", "/a/c", "/a/b/2", "/a/b/-", "/a/b/01", "/a/b/x", "/s/0",
                                 "/a/b/99999999999999999999");
  INFO(pointer);
  CHECK(Find(kJson, pointer).state == State::kMissing);
  CHECK(Find("", "/a").state == State::kMissing);
  CHECK(Find("  ", "/a").state == State::kMissing);
  CHECK(Find("{}", "/a").state == State::kMissing);
  CHECK(Find("{\"a\":[]}", "/a/0").state == State::kMissing);
}

TEST_CASE("arguments that can be read in two ways are ambiguous", "[policy]") {
  const char* json = GENERATE(
      R"({"a":1,"a":2})", R"({"a":1,"\u0061":1})", R"([{"a":1}])", R"("a")", "null", "{", R"({"a")",
      R"({"a":)", R"({"a":1)", R"({"a" 1})", R"({"a":1} x)", R"({"a":"x)", R"({"\ud800":1,"a":1})",
      R"({"a":1,})", R"({a:1})", "\x01", R"({"A":1})", R"({"A":1,"a":1})", R"({"a":1,"\u0041":1})");
  INFO(json);
  CHECK(Find(json, "/a").state == State::kAmbiguous);
}

TEST_CASE("a name that differs in case alone is one for many readers", "[policy]") {
  for (const char* name : {"Risk", "RISK", "ri\u017fk", "ris\u212a", "ri\\u017f\\u004B"}) {
    CAPTURE(name);
    const std::string twin = "{\"a\":{\"" + std::string(name) + "\":1,\"risk\":2}}";
    CHECK(Find(twin, "/a/risk").state == State::kAmbiguous);
    CHECK(Find(twin, "/a").state == State::kFound);
  }
  CHECK(Find(R"({"risks":1,"ris":1,"r\u00edsk":1,"risk":2})", "/risk").value == "2");
}

TEST_CASE("a name twice elsewhere does not blur a value", "[policy]") {
  CHECK(Find(R"({"x":{"b":1,"b":2},"a":1})", "/a").state == State::kFound);
}

TEST_CASE("pointers that RFC 6901 does not have are refused", "[policy]") {
  CHECK_FALSE(ParsePointer("a").ok());
  CHECK_FALSE(ParsePointer("/a~").ok());
  CHECK_FALSE(ParsePointer("/a~2").ok());
  CHECK(ParsePointer("")->empty());
}

TEST_CASE("a JSON string means what its escapes say", "[policy]") {
  CHECK(DecodeJsonString(R"("a\"\\\/\b\f\n\r\t")") == "a\"\\/\b\f\n\r\t");
  CHECK(DecodeJsonString(R"("\u00e9\u20AC\ud83d\ude00")") ==
        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  const char* bad = GENERATE(R"("\x")", R"("\u12")", R"("\ud800")", R"("\udc00")",
                             R"("\ud800\u0041")", "\"a\nb\"", R"("a)", R"(")", "");
  INFO(bad);
  CHECK_FALSE(DecodeJsonString(bad));
}

}  // namespace
}  // namespace sallyport
