#include "controlplane/policies/resource_patterns.h"

#include <catch2/catch.hpp>

#include "common/policy/pattern.h"

namespace sallyport::controlplane {
namespace {

using Patterns = std::vector<std::string>;

bool Covers(const ResourcePatterns& resources, const std::string& uri) {
  for (const std::string& pattern : resources.Patterns()) {
    if (UriPattern(pattern).Matches(uri)) return true;
  }
  return false;
}

TEST_CASE("few URIs stay as they are", "[policies]") {
  ResourcePatterns resources;
  CHECK(resources.empty());
  for (const char* uri : {"file:///b", "file:///a", "file:///b"}) resources.Add(uri);
  CHECK(resources.Patterns() == Patterns{"file:///a", "file:///b"});
}

TEST_CASE("a URI with a star in it is no pattern", "[policies]") {
  ResourcePatterns resources;
  for (const char* uri : {"*", "file:///public/**", "file:///a", "file:///*/b"}) resources.Add(uri);
  CHECK(resources.Patterns() == Patterns{"file:///a"});
  CHECK(resources.has_starred());
  CHECK_FALSE(resources.has_folded());
}

TEST_CASE("the folder with the most of them is folded first, and no other", "[policies]") {
  ResourcePatterns resources;
  resources.Add("file:///secret/one");
  for (int i = 0; i < 100; ++i) resources.Add("file:///logs/" + std::to_string(i));
  CHECK(resources.Patterns() == Patterns{"file:///logs/*", "file:///secret/one"});
  CHECK_FALSE(Covers(resources, "file:///secret/two"));
  CHECK(resources.has_folded());
}

TEST_CASE("many folders are folded to their origin", "[policies]") {
  ResourcePatterns resources;
  for (int i = 0; i < 100; ++i) resources.Add("https://h/" + std::to_string(i) + "/x");
  resources.Add("https://other/x");
  CHECK(resources.Patterns() == Patterns{"https://h/**", "https://other/x"});
  CHECK_FALSE(resources.has_dropped());
}

TEST_CASE("whatever is added, patterns are few and what is not covered is said", "[policies]") {
  ResourcePatterns resources;
  std::vector<std::string> all;
  for (int i = 0; i < 500; ++i) {
    all.push_back("s" + std::to_string(i) + "://h/x");
    all.push_back("urn:" + std::to_string(i));
    all.push_back("file:///" + std::to_string(i % 60) + "/" + std::to_string(i));
  }
  for (const std::string& uri : all) resources.Add(uri);
  CHECK(resources.Patterns().size() <= 40);
  CHECK(resources.has_dropped());
  CHECK(Covers(resources, "file:///7/307"));
}

TEST_CASE("everything that was added is covered, unless it is said", "[policies]") {
  ResourcePatterns resources;
  std::vector<std::string> all;
  for (int i = 0; i < 300; ++i) {
    all.push_back("file:///" + std::to_string(i % 7) + "/" + std::to_string(i % 11) + "/" +
                  std::to_string(i));
    all.push_back("mem:" + std::to_string(i));
  }
  for (const std::string& uri : all) resources.Add(uri);
  REQUIRE_FALSE(resources.has_dropped());
  for (const std::string& uri : all) CHECK(Covers(resources, uri));
}

}  // namespace
}  // namespace sallyport::controlplane
