#include "agent/mcp/json_text.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport::agent {
namespace {

TEST_CASE("escaping and unescaping a JSON string gives it back", "[agent][mcp]") {
  std::string all;
  for (int c = 0; c < 128; ++c) all.push_back(static_cast<char>(c));
  all += "\u00e9\u20ac\U0001f600";
  std::string escaped;
  AppendJsonEscaped(escaped, all);
  std::string back;
  REQUIRE(AppendJsonUnescaped(back, escaped));
  CHECK(back == all);
}

TEST_CASE("unescaping refuses what is no JSON string", "[agent][mcp]") {
  for (const char* raw : {"\\", "\\x41", "\\u12", "\\ud800", "\\ud800x", "\\ud800\\n",
                          "\\ud800\\u0041", "\\udfff", "\n", "\x1f"}) {
    std::string out;
    INFO(raw);
    CHECK_FALSE(AppendJsonUnescaped(out, raw));
  }
}

TEST_CASE("the cursor finds the raw characters of each decoded byte", "[agent][mcp]") {
  const std::string raw = R"(a\nb\u0041\u00e9\ud83d\ude00z)";
  std::string decoded;
  REQUIRE(AppendJsonUnescaped(decoded, raw));
  const auto cut = [&](std::string_view part) {
    const std::size_t at = decoded.find(part);
    UnescapeCursor cursor(raw);
    const std::size_t begin = cursor.BeginOf(at);
    const std::size_t end = cursor.EndOf(at + part.size());
    return raw.substr(begin, end - begin);
  };
  CHECK(cut("a") == "a");
  CHECK(cut("\n") == R"(\n)");
  CHECK(cut("bA") == R"(b\u0041)");
  CHECK(cut("\u00e9") == R"(\u00e9)");
  CHECK(cut("\U0001f600") == R"(\ud83d\ude00)");
  CHECK(cut("z") == "z");
  CHECK(cut(decoded) == raw);
}

}  // namespace
}  // namespace sallyport::agent
