#include "agent/call/principal_table.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

types::v1::Principal Bot(const std::string& scope) {
  types::v1::Principal bot;
  bot.set_realm("okta");
  bot.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  bot.set_subject("deploy");
  bot.add_scopes(scope);
  return bot;
}

TEST_CASE("PrincipalTable: principals that are alike in all are one object") {
  PrincipalTable table;
  const auto first = table.Share(Bot("mcp.read"));
  CHECK(table.Share(Bot("mcp.read")) == first);
  const auto other = table.Share(Bot("mcp.write"));
  CHECK(other != first);
  CHECK(other->scopes(0) == "mcp.write");
}

TEST_CASE("PrincipalTable: who is held stays, and who is not comes back as itself") {
  PrincipalTable table;
  const auto held = table.Share(Bot("mcp.read"));
  table.Share(Bot("mcp.write"));
  table.Sweep();
  CHECK(table.Share(Bot("mcp.read")) == held);
  CHECK(table.Share(Bot("mcp.write"))->scopes(0) == "mcp.write");
}

}  // namespace
}  // namespace sallyport::agent
