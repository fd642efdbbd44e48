#include "agent/mask/cut_places.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

using Places = std::vector<std::string>;

TEST_CASE("what was changed in arguments is named, and nothing else", "[agent][mask]") {
  CHECK(CutPlaces("", "").empty());
  CHECK(CutPlaces(R"({"a":1})", R"({"a":1})").empty());
  CHECK(CutPlaces(R"({"a":"\u0041","b":[1,2]})", R"({"a":"A","b":[1,2]})").empty());
  CHECK(CutPlaces(R"({"a":"x","b":{"c/~":[1,"y"]}})", R"({"a":"x","b":{"c/~":[1,"z"]}})") ==
        Places{"/b/c~1~0/1"});
  CHECK(CutPlaces(R"({"n":12,"t":true,"s":"a"})", R"({"n":0,"t":false,"s":"b"})") ==
        Places{"/n", "/t", "/s"});
  CHECK(CutPlaces(R"({"n":1})", R"({"n":1.0})") == Places{"/n"});
  CHECK(CutPlaces(R"({"key":{"a":1}})", R"({"[...]":{"a":1}})") == Places{"/*"});
  CHECK(CutPlaces(R"({"key":{"a":1}})", R"({"[...]":{"a":2}})") == Places{"/*", "/*/a"});
}

TEST_CASE("where nobody can tell what was changed, all of it counts", "[agent][mask]") {
  const Places all = {""};
  CHECK(CutPlaces(R"({"a":1})", R"({"a":1,"b":2})") == all);
  CHECK(CutPlaces(R"({"a":1,"b":2})", R"({"a":1})") == all);
  CHECK(CutPlaces(R"({"a":[1]})", R"({"a":"[1]"})") == all);
  CHECK(CutPlaces(R"({"a":"x"})", R"({"a":{}})") == all);
  CHECK(CutPlaces(R"({"a":1})", "{") == all);
  std::string long_one = "{";
  std::string masked = "{";
  for (int i = 0; i < 65; ++i) {
    const std::string member = (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":";
    long_one += member + "1";
    masked += member + "0";
  }
  CHECK(CutPlaces(long_one + "}", masked + "}") == all);
}

}  // namespace
}  // namespace sallyport::agent
