#include "agent/mcp/canonical_arguments.h"

#include <catch2/catch.hpp>

#include "common/denial.h"

namespace sallyport::agent {
namespace {

TEST_CASE("spellings of the same arguments have one form", "[agent][mcp]") {
  const std::string expected = R"({"a":[[],[1,"x"]],"b":{"c":"A/\n"}})";
  CHECK(*CanonicalArguments(R"({"a":[[],[1,"x"]],"b":{"c":"A/\n"}})") == expected);
  CHECK(*CanonicalArguments(
            R"( { "b" : { "\u0063" : "\u0041\/\u000a" } , "a" : [ [ ] , [ 1 , "x" ] ] } )") ==
        expected);
  CHECK(CanonicalArguments("")->empty());
}

TEST_CASE("other arguments have another form", "[agent][mcp]") {
  const std::string one = *CanonicalArguments(R"({"a":1})");
  for (const char* other : {R"({"a":1.0})", R"({"a":"1"})", R"({"a":10})", R"({"a":1e0})",
                            R"({"A":1})", R"({"a":[1]})", R"({})"}) {
    CHECK(*CanonicalArguments(other) != one);
  }
  CHECK(*CanonicalArguments(R"({"a":12345678901234567890})") !=
        *CanonicalArguments(R"({"a":12345678901234567891})"));
}

TEST_CASE("numbers that are one double have one form where they are read as doubles",
          "[agent][mcp]") {
  const auto form = [](const char* json) { return *CanonicalArguments(json, Numbers::kAsDoubles); };
  CHECK(form(R"({"a":[1,"1.0",true]})") == R"({"a":[1,"1.0",true]})");
  for (const char* same : {"1.0", "1e0", "1.00000000000000000001", "0.99999999999999999999"}) {
    CHECK(form((std::string(R"({"a":[)") + same + "]}").c_str()) == R"({"a":[1]})");
  }
  CHECK(form("[9007199254740993]") == form("[9007199254740992]"));
  CHECK(form("[1e400]") == form("[2e400]"));
  CHECK(form("[1]") != form("[1.0000000000000002]"));
  CHECK(form("[1]") != form("[-1]"));
}

TEST_CASE("arguments that are not clean have no form", "[agent][mcp]") {
  for (const char* text :
       {R"({"a":1,"a":2})", R"({"a":1,"\u0061":2})", "{", "1", R"({"a":"\ud800"})"}) {
    CHECK(ReasonOf(CanonicalArguments(text).status()) ==
          types::v1::DenialReason::DENIAL_REASON_MESSAGE_INVALID);
  }
}

}  // namespace
}  // namespace sallyport::agent
