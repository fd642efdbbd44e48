#include "controlplane/cli/output.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

TEST_CASE("printable text moves no cursor and hides nothing", "[cli]") {
  CHECK(Printable("plain – ünïcode 漢字") == "plain – ünïcode 漢字");
  CHECK(Printable("a\x1b[2Jb\r\n") == "a\\u{1b}[2Jb\\u{d}\\u{a}");
  CHECK(Printable("pay \u202Eevil") == "pay \\u{202e}evil");
  CHECK(Printable("zero\u200Bwidth") == "zero\\u{200b}width");
  CHECK(Printable("\xff\xfe") == "\\x{ff}\\x{fe}");
  CHECK(Printable("\u0085") == "\\u{85}");
  CHECK(Printable("\U000E0041") == "\\u{e0041}");
}

TEST_CASE("a table pads by characters and leaves empty columns out", "[cli]") {
  Table table({"NAME", "NEVER", "STATE"});
  table.Add({"zoë", "", "active"});
  table.Add({"deploy-bot", "", "ended"});
  CHECK(table.Text() ==
        "NAME        STATE\n"
        "zoë         active\n"
        "deploy-bot  ended\n");
}

}  // namespace
}  // namespace sallyport::controlplane
