#include "agent/upstream/line_splitter.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "agent/upstream/rpc_id.h"

namespace sallyport::agent {
namespace {

std::vector<std::string> Split(LineSplitter& splitter, std::string_view bytes) {
  std::vector<std::string> out;
  std::string line;
  for (;;) {
    auto event = splitter.Next(bytes, line);
    if (event == LineSplitter::Event::kNeedMore) return out;
    out.push_back(event == LineSplitter::Event::kTooLong ? "<too long>" : line);
  }
}
using Lines = std::vector<std::string>;

TEST_CASE("lines end with LF or CRLF, and may come in pieces", "[agent][stdio]") {
  LineSplitter splitter(100);
  CHECK(Split(splitter, "a\nbb\r\n\nc").size() == 3);
  CHECK(splitter.pending_bytes() == 1);
  CHECK(Split(splitter, "c\r") == Lines{});
  CHECK(Split(splitter, "\nd\re\n") == Lines{"cc", "d\re"});
}

TEST_CASE("a line of just the limit passes, with CRLF too, and one byte more does not",
          "[agent][stdio]") {
  LineSplitter splitter(4);
  CHECK(Split(splitter, "1234\n1234\r\n12345\nok\n") == Lines{"1234", "1234", "<too long>", "ok"});
  CHECK(Split(splitter, "1234\rx\nok\n") == Lines{"<too long>", "ok"});

  // Its end may come alone, after the last byte that could still have been a CR.
  CHECK(Split(splitter, "1234\r") == Lines{});
  CHECK(Split(splitter, "\n") == Lines{"1234"});
  CHECK(Split(splitter, "12345") == Lines{});
  CHECK(Split(splitter, "\nok\n") == Lines{"<too long>", "ok"});
}

TEST_CASE("a line that is too long is told once, before it ends, and skipped to its end",
          "[agent][stdio]") {
  LineSplitter splitter(4);
  CHECK(Split(splitter, "123456") == Lines{"<too long>"});
  CHECK(splitter.pending_bytes() == 0);
  CHECK(Split(splitter, std::string(1000, 'x')) == Lines{});
  CHECK(Split(splitter, "\nok\n") == Lines{"ok"});
}

TEST_CASE("spellings of one id are one, and 7 and \"7\" are two", "[agent][stdio]") {
  CHECK(CanonicalId("7") == "7");
  CHECK(CanonicalId("7.0") == "7");
  CHECK(CanonicalId("70e-1") == "7");
  CHECK(CanonicalId("-0") == "-0");
  CHECK(CanonicalId("1.5") == "1.5");
  CHECK(CanonicalId("\"7\"") == "\"7\"");
  CHECK(CanonicalId("\"\\u0061\"") == "\"a\"");
  CHECK(CanonicalId("12345678901234567890") == "12345678901234567890");
  CHECK(CanonicalId("12345678901234567890.0") == "12345678901234567890.0");
  CHECK(CanonicalId("1e400") == "1e400");
}

}  // namespace
}  // namespace sallyport::agent
