#include "common/names.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport {
namespace {

TEST_CASE("names are of small letters, digits and a few marks, and begin with none of those",
          "[common]") {
  for (const std::string& name : {std::string("a"), std::string("0-a"), std::string(63, 'x')}) {
    INFO(name);
    CHECK(IsLabel(name));
    CHECK(IsServerName(name));
  }
  for (const std::string& name : {std::string("my.wiki"), std::string("0_a-b")}) {
    INFO(name);
    CHECK_FALSE(IsLabel(name));
    CHECK(IsServerName(name));
  }
  for (const std::string& name :
       {std::string(), std::string(64, 'x'), std::string("-a"), std::string(".a"),
        std::string("_a"), std::string("A"), std::string("a b"), std::string("a/b"),
        std::string("a\n"), std::string("\xc3\xa4")}) {
    INFO(name);
    CHECK_FALSE(IsLabel(name));
    CHECK_FALSE(IsServerName(name));
  }
}

}  // namespace
}  // namespace sallyport
