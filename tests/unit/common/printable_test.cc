#include "common/printable.h"

#include <catch2/catch.hpp>

#include "common/json_string.h"

namespace sallyport {
namespace {

TEST_CASE("printable text moves no cursor and hides nothing", "[common][printable]") {
  CHECK(Printable("plain – ünïcode 漢字") == "plain – ünïcode 漢字");
  CHECK(Printable("a\x1b[2Jb\r\n") == "a\\u{1b}[2Jb\\u{d}\\u{a}");
  CHECK(Printable("pay \u202Eevil") == "pay \\u{202e}evil");
  CHECK(Printable("zero\u200Bwidth") == "zero\\u{200b}width");
  CHECK(Printable("\xff\xfe") == "\\x{ff}\\x{fe}");
  CHECK(Printable("\u0085") == "\\u{85}");
  CHECK(Printable("\U000E0041") == "\\u{e0041}");
}

TEST_CASE("JSON for people is the same JSON on one line", "[common][printable]") {
  CHECK(PrintableJson("{\n\t\"a\": \"b\"\r\n}") == "{  \"a\": \"b\"  }");
  CHECK(PrintableJson("\"pay \u202Eevil\"") == "\"pay \\u202eevil\"");
  CHECK(PrintableJson("\"\U000E0041\u200B\"") == "\"\\udb40\\udc41\\u200b\"");
  // A quote that is escaped ends nothing: what follows is within the string still.
  CHECK(PrintableJson("\"a\\\"\nb\"") == "\"a\\\"\\nb\"");
  CHECK(PrintableJson("\"\\\\\"\n") == "\"\\\\\" ");
  CHECK(PrintableJson("\"\xff\x1b\"") == "\"\uFFFD\\u001b\"");
}

TEST_CASE("a JSON string hides nothing either", "[common][printable]") {
  CHECK(JsonString("a\u200Bb\U000E0041") == "\"a\\u200bb\\udb40\\udc41\"");
}

}  // namespace
}  // namespace sallyport
