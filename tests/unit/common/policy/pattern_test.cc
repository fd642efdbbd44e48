#include "common/policy/pattern.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport {
namespace {

TEST_CASE("a glob takes the whole name and a star any run of it", "[policy]") {
  struct Row {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Row row = GENERATE(
      Row{"echo", "echo", true}, Row{"echo", "echo2", false}, Row{"echo", "Echo", false},
      Row{"get-*", "get-", true}, Row{"get-*", "get-a/b", true}, Row{"get-*", "xget-a", false},
      Row{"*", "", true}, Row{"*-x", "a-x", true}, Row{"*-x", "a-xy", false},
      Row{"a*b*c", "abc", true}, Row{"a*b*c", "a-b-b-c", true}, Row{"a*b*c", "acb", false},
      Row{"aa*aa", "aaa", false}, Row{"a.b", "axb", false}, Row{"[a]", "a", false},
      Row{"a**b", "a-b", true}, Row{"*a*", "bab", true}, Row{"*a*", "bbb", false});
  INFO(row.pattern << " against " << row.text);
  CHECK(Glob(row.pattern).Matches(row.text) == row.matches);
}

TEST_CASE("a line break or a NUL in a name is a character like any other", "[policy]") {
  CHECK_FALSE(Glob("allowed").Matches("allowed\ndenied"));
  CHECK_FALSE(Glob("allowed").Matches(std::string_view("allowed\0", 8)));
}

TEST_CASE("in a uri pattern one star stops at a slash and two do not", "[policy]") {
  struct Row {
    const char* pattern;
    const char* uri;
    bool matches;
  };
  const Row row = GENERATE(
      Row{"file:///public/*", "file:///public/a", true},
      Row{"file:///public/*", "file:///public/a/b", false},
      Row{"file:///public/**", "file:///public/a/b", true},
      Row{"file:///public/**", "file:///public", false},
      Row{"file:///public/**", "file:///publicx/a", false}, Row{"*", "file:///etc/passwd", true},
      Row{"**", "file:///etc/passwd", true}, Row{"a:*/x", "a:b/x", true},
      Row{"a:*/x", "a:b/c/x", false}, Row{"a:**/x", "a:b/c/x", true},
      Row{"a:**/b/*.txt", "a:1/b/2/b/c.txt", true}, Row{"a:**/b/*.txt", "a:1/b/2/c.txt", false},
      Row{"FILE:///a", "file:///a", true}, Row{"file:///a", "file:///A", false},
      Row{"a:*b*c", "a:xbxbxc", true}, Row{"a:*b*c", "a:xb/xc", false});
  INFO(row.pattern << " against " << row.uri);
  CHECK(UriPattern(row.pattern).Matches(row.uri) == row.matches);
}

TEST_CASE("a uri pattern says whether something after a prefix could match", "[policy]") {
  CHECK(UriPattern("file:///public/**").CouldMatchAfter("file:///"));
  CHECK(UriPattern("file:///public/**").CouldMatchAfter("file:///public/a/b"));
  CHECK_FALSE(UriPattern("file:///public/**").CouldMatchAfter("file:///private/"));
  CHECK_FALSE(UriPattern("file:///public/*").CouldMatchAfter("file:///public/a/"));
}

TEST_CASE("a uri that servers may read in another way is refused", "[policy]") {
  const std::string uri = GENERATE(
      "file:///a/../b", "file:///a/./b", "file:///a/..", "file:///..", "file:..", "../a",
      "file:///a/%2e%2e/b", "file:///a/%2E./b", "file:///a/%252e%252e/b", "file:///a/..%2fb",
      "file:///a\\..\\b", "file:///a/..;x/b", "file:///a/..?q", "file:///a/..#f", "file:///a%00b",
      "file:///a%0ab", "file:///a\nb", "x:%25252525252541", "", "file:///a/%c0%ae%c0%ae/b",
      "file:///a/%ff", "file:///a/\uff0e\uff0e/b", "file:///a/%EF%BC%8E./b",
      "file:///a\uff0f..\uff0fb", "file:///a/\u2025/b", "file:///a/.\u200b./b", "file:///a/.. /b",
      "file:///a/%2e%2e%20/b", "file:///a/.../b", " file:..", "file:///a/..\u3000/b",
      " https://b\u00fcro.example/");
  INFO(uri);
  CHECK_FALSE(UriForms(uri).refusal().empty());
  CHECK_FALSE(UriForms(std::string(9000, 'a')).refusal().empty());
}

TEST_CASE("a plain uri has one form, and dots in names are no segments", "[policy]") {
  const std::string uri = GENERATE("file:///a/b.txt", "file:///a/..b", "file:///a/b..", "wiki:/x",
                                   "file:///.hidden", "https://host/a?b=c.d", "a%20b:c",
                                   "file:///a/report\u2026.txt", "file:///caf%C3%A9");
  INFO(uri);
  CHECK(UriForms(uri).refusal().empty());
}

TEST_CASE("encoded slashes and doubled slashes are further forms of a uri", "[policy]") {
  const auto all_match = [](const char* uri, const char* pattern) {
    const UriForms forms(uri);
    return UriPattern(pattern).Matches(forms.as_it_stands()) &&
           forms.AllOthers(
               [&](std::string_view form) { return UriPattern(pattern).MatchesAnyhow(form); });
  };
  const auto one_matches = [](const char* uri, const char* pattern) {
    return UriForms(uri).Any(
        [&](std::string_view form) { return UriPattern(pattern).MatchesAnyhow(form); });
  };
  CHECK_FALSE(all_match("file:///public/a%2fb", "file:///public/*"));
  CHECK(one_matches("file:///%73ecret/x", "file:///secret/*"));
  CHECK(one_matches("file:///public//secret/x", "file:///public/secret/*"));
  CHECK(one_matches("FILE:///secret/x", "file:///secret/*"));
  CHECK(all_match("file:///public/a%20b", "file:///public/*"));
}

}  // namespace
}  // namespace sallyport
