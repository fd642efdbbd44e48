#include "controlplane/cli/output.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

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
