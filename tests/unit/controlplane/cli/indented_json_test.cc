#include "controlplane/cli/indented_json.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

TEST_CASE("each member and element has a line of its own", "[cli]") {
  CHECK(IndentedJson(R"({"a":[1,{"b":null}],"c":"d"})") ==
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": \"d\"\n}\n");
}

TEST_CASE("not a byte of a value changes", "[cli]") {
  CHECK(IndentedJson(R"(["{,:}\"]",12345678901234567890.10,"\\"])") ==
        "[\n  \"{,:}\\\"]\",\n  12345678901234567890.10,\n  \"\\\\\"\n]\n");
  CHECK(IndentedJson(R"({"a":{},"b":[]})") == "{\n  \"a\": {},\n  \"b\": []\n}\n");
}

TEST_CASE("what is no JSON is shown all the same", "[cli]") {
  CHECK(IndentedJson("\"never ends\\") == "\"never ends\\\n");
  CHECK(IndentedJson("}]") == "}]\n");
}

}  // namespace
}  // namespace sallyport::controlplane
