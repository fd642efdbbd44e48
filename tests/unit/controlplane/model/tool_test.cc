#include "controlplane/model/tool.h"

#include <catch2/catch.hpp>

#include "common/denial.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

agent::v1::SeenTool Saying(const std::string& definition) {
  agent::v1::SeenTool seen;
  seen.set_name("echo");
  seen.set_definition(definition);
  seen.set_definition_hash("hash of " + definition);
  return seen;
}

TEST_CASE("a tool is pinned to what was seen first", "[model][tool]") {
  Tool tool = Tool::Pinned("wiki", Saying("a"), "agent-1", kNow);
  CHECK(tool.pin().definition_hash() == "hash of a");
  CHECK_FALSE(tool.is_changed());
  CHECK(tool.proto().accepted_by() == "agent:agent-1");
  CHECK_FALSE(tool.See(Saying("a"), "agent-2", kNow));
}

TEST_CASE("a tool that says something else is changed until it says again what was accepted",
          "[model][tool]") {
  Tool tool = Tool::Pinned("wiki", Saying("a"), "agent-1", kNow);
  CHECK(tool.See(Saying("b"), "agent-1", kNow));
  CHECK(tool.pin().is_changed());
  CHECK(tool.pin().definition_hash() == "hash of a");
  CHECK_FALSE(tool.See(Saying("b"), "agent-1", kNow));
  // Another agent's server of that name has not changed; this one's still has.
  CHECK_FALSE(tool.See(Saying("a"), "agent-2", kNow));
  CHECK(tool.is_changed());
  CHECK(tool.See(Saying("a"), "agent-1", kNow));
  CHECK_FALSE(tool.is_changed());
  CHECK(tool.proto().changed_hash().empty());
  CHECK(tool.proto().changed_definition().empty());
}

TEST_CASE("what is accepted is what was looked at, or nothing", "[model][tool]") {
  Tool tool = Tool::Pinned("wiki", Saying("a"), "agent-1", kNow);
  CHECK(ReasonOf(tool.Accept("hash of b", false, "user:okta:root", kNow)) ==
        types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  tool.See(Saying("b"), "agent-1", kNow);
  tool.See(Saying("c"), "agent-1", kNow);
  CHECK(ReasonOf(tool.Accept("hash of b", false, "user:okta:root", kNow)) ==
        types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  CHECK(ReasonOf(tool.Accept("hash of a", false, "user:okta:root", kNow)) ==
        types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  CHECK(tool.is_changed());
  REQUIRE(tool.Accept("hash of c", false, "user:okta:root", kNow).ok());
  CHECK_FALSE(tool.is_changed());
  CHECK(tool.pin().definition_hash() == "hash of c");
  CHECK(tool.proto().definition() == "c");
  CHECK(tool.proto().accepted_by() == "user:okta:root");
  CHECK(tool.Accept("hash of c", false, "user:okta:other", kNow).ok());
  CHECK(tool.proto().accepted_by() == "user:okta:root");
}

TEST_CASE("a definition that nobody can have read is accepted by who says so alone",
          "[model][tool]") {
  Tool tool = Tool::Pinned("wiki", Saying("a"), "agent-1", kNow);
  auto seen = Saying("b");
  seen.clear_definition();
  REQUIRE(tool.See(seen, "agent-1", kNow));
  CHECK(ReasonOf(tool.Accept("hash of b", false, "user:okta:root", kNow)) ==
        types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  CHECK(tool.is_changed());
  CHECK(tool.Accept("hash of b", true, "user:okta:root", kNow).ok());
  CHECK_FALSE(tool.is_changed());
}

}  // namespace
}  // namespace sallyport::controlplane
