#include "controlplane/policies/unified_diff.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <sstream>
#include <string>

namespace sallyport::controlplane {
namespace {

std::string Diff(const std::string& before, const std::string& after) {
  return UnifiedDiff(before, after, "a", "b");
}

TEST_CASE("unified_diff says nothing of equal texts", "[policies]") {
  CHECK(Diff("one\n", "one\n").empty());
  CHECK(Diff("", "").empty());
}

TEST_CASE("unified_diff shows three lines around a change", "[policies]") {
  CHECK(Diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n") ==
        "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST_CASE("unified_diff joins changes that are near and parts those that are not", "[policies]") {
  CHECK(Diff("1\n2\n3\n4\n5\n6\n7\n8\n", "one\n2\n3\n4\n5\n6\n7\neight\n") ==
        "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-1\n+one\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+eight\n");
  CHECK(Diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "one\n2\n3\n4\n5\n6\n7\n8\nnine\n") ==
        "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n"
        "+nine\n");
}

TEST_CASE("unified_diff shows what is new, what is gone and a missing last line break",
          "[policies]") {
  CHECK(Diff("", "1\n2\n") == "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+1\n+2\n");
  CHECK(Diff("1\n2\n", "") == "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-1\n-2\n");
  CHECK(Diff("1", "1\n") == "--- a\n+++ b\n@@ -1 +1 @@\n-1\n\\ No newline at end of file\n+1\n");
}

TEST_CASE("unified_diff shows texts that are too large to compare as one block", "[policies]") {
  std::string before;
  std::string after;
  for (int i = 0; i < 3000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  CHECK(Diff(before, after).find("\n-a2999\n+b0\n") != std::string::npos);
}

// As patch(1) does: what stands between hunks is copied, and a hunk's old lines must be there.
std::string Patched(const std::string& before, const std::string& diff) {
  std::istringstream lines(diff);
  std::string line;
  std::string out;
  std::size_t at = 0;  // in `before`
  std::size_t old_line = 0;
  const auto copy_line = [&] {
    const std::size_t end = std::min(before.find('\n', at), before.size() - 1) + 1;
    out += before.substr(at, end - at);
    at = end;
    ++old_line;
  };
  bool is_out = false;  // the line before is a new one
  while (std::getline(lines, line)) {
    if (line.starts_with("--- ") || line.starts_with("+++ ")) continue;
    if (line.starts_with("@@ -")) {
      const std::size_t first = std::stoul(line.substr(4));
      const bool is_empty = line.substr(4, line.find(' ', 4) - 4).ends_with(",0");
      while (old_line + (is_empty ? 0 : 1) < first) copy_line();
    } else if (line.starts_with("\\")) {
      if (is_out) out.pop_back();
    } else if (line.starts_with("+")) {
      out += line.substr(1) + "\n";
      is_out = true;
    } else {
      const std::string old = line.substr(1);
      REQUIRE(before.compare(at, old.size(), old) == 0);
      is_out = false;
      if (line.starts_with(" ")) {
        copy_line();
      } else {
        at = std::min(before.find('\n', at), before.size() - 1) + 1;
        ++old_line;
      }
    }
  }
  while (at < before.size()) copy_line();
  return out;
}

TEST_CASE("what unified_diff writes turns the old text into the new one", "[policies]") {
  std::mt19937 random(7);  // NOLINT: the same texts each time
  const auto text = [&] {
    std::string out;
    for (auto lines = random() % 30; lines > 0; --lines) {
      out += std::string(1, "abcd"[random() % 4]) + "\n";
    }
    if (random() % 4 == 0 && !out.empty()) out.pop_back();
    return out;
  };
  for (int i = 0; i < 1000; ++i) {
    const std::string before = text();
    const std::string after = text();
    INFO(Diff(before, after));
    CHECK(Patched(before, Diff(before, after)) == after);
  }
}

}  // namespace
}  // namespace sallyport::controlplane
