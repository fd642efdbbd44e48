#include "common/nearest_words.h"

#include <catch2/catch.hpp>

namespace sallyport {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("the nearest words are those a typing error away, the nearest first", "[common]") {
  const Words words = {"request", "login", "approvals", "sessions", "apply", "agents", "version"};
  CHECK(NearestWords("sesions", words) == Words{"sessions"});
  CHECK(NearestWords("session", words) == Words{"sessions", "version"});
  CHECK(NearestWords("aproval", words) == Words{"approvals"});
  CHECK(NearestWords("agnets", words) == Words{"agents"});
  CHECK(NearestWords("ap", words) == Words{"approvals", "apply"});
  CHECK(NearestWords("frobnicate", words).empty());
  CHECK(NearestWords("", words).empty());
  CHECK(NearestWords("x", {"a", "b"}) == Words{"a", "b"});
  CHECK(NearestWords("lst", {"list", "show", "last", "lost", "lust"}).size() == 3);
}

TEST_CASE("who typed a word wrong is asked what was meant", "[common]") {
  CHECK(DidYouMean("sesions", {"login", "sessions"}) == "; did you mean sessions?");
  CHECK(DidYouMean("x", {"a", "b"}) == "; did you mean a or b?");
  CHECK(DidYouMean("frobnicate", {"login", "sessions"}).empty());
}

}  // namespace
}  // namespace sallyport
