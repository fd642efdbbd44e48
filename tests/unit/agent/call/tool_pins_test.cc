#include "agent/call/tool_pins.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "agent/control/tool_client.h"
#include "agent/link/channel.h"
#include "agent/loop/loop.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/snapshots.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kLong = 200u << 10;

// Of a control plane that hears nothing.
struct Rig {
  static ToolDefinition Define(int tool, std::size_t bytes, char letter = 'a') {
    ToolDefinition definition{.name = "t" + std::to_string(tool)};
    // As what was built piece by piece.
    definition.json.reserve(2 * bytes);
    definition.json.assign(bytes, letter);
    definition.hash = letter + std::to_string(tool);
    return definition;
  }
  SeenDefinition See(int tool, std::size_t bytes, char letter = 'a') {
    return pins.See("wiki", Define(tool, bytes, letter), *snapshot);
  }
  void Pin(int tools) {
    v1::Snapshot pinned = SomeSnapshot(1, 2);
    for (int tool = 0; tool < tools; ++tool) {
      types::v1::ToolPin& pin = *pinned.add_tool_pins();
      pin.set_server("wiki");
      pin.set_name("t" + std::to_string(tool));
      pin.set_definition_hash("a" + std::to_string(tool));
    }
    snapshot = *AgentSnapshot::Compile(pinned);
    pins.TakeSnapshot(snapshot);
  }
  // All of the server's list: these.
  void List(const std::vector<std::string>& tools) {
    pins.TakeList(
        "wiki", *snapshot,
        [&](std::string_view tool) { return std::ranges::find(tools, tool) != tools.end(); }, true);
  }

  Loop loop;
  FakeClock clock{absl::FromUnixSeconds(1'800'000'000)};
  ControlPlaneChannel channel{loop, "127.0.0.1:1", {}};
  ToolClient client{channel};
  ToolPins pins{loop, clock, client};
  std::shared_ptr<const AgentSnapshot> snapshot = *AgentSnapshot::Compile(SomeSnapshot(1, 1));
};

TEST_CASE("of a server's definitions 16 MiB are held, and of others the hash", "[agent][pins]") {
  Rig rig;
  std::size_t held = 0;
  std::vector<SeenDefinition> shown;
  for (int tool = 0; tool < 1000; ++tool) {
    shown.push_back(rig.See(tool, kLong));
    REQUIRE(shown.back() != nullptr);
    CHECK(shown.back()->hash == "a" + std::to_string(tool));
    held += shown.back()->json.capacity();
  }
  CHECK(held < (17u << 20));
  CHECK(shown.front()->json.size() == kLong);
  CHECK(shown.back()->json.empty());
  CHECK_FALSE(rig.pins.WantsText("wiki", Rig::Define(1000, kLong)));
  CHECK(rig.pins.IsAccepted(*rig.snapshot, "wiki", Rig::Define(999, kLong)));
  CHECK_FALSE(rig.pins.IsAccepted(*rig.snapshot, "wiki", Rig::Define(999, kLong, 'b')));
}

TEST_CASE("connections that are told differently hold no more of a server than one",
          "[agent][pins]") {
  Rig rig;
  std::vector<SeenDefinition> shown;
  std::size_t digests = 0;
  bool is_refused = false;
  for (int connection = 0; connection < 100 && !is_refused; ++connection) {
    for (int tool = 0; tool < 4096 && !is_refused; ++tool) {
      ToolDefinition definition = Rig::Define(tool, 0);
      definition.name.insert(0, 4000, 'n');
      definition.hash = std::to_string(connection);
      digests += definition.name.size();
      const std::string name = definition.name;
      shown.push_back(rig.pins.See("wiki", std::move(definition), *rig.snapshot));
      is_refused = shown.back() == nullptr;
    }
  }
  CHECK(is_refused);
  CHECK(digests <= (16u << 20));
  shown.clear();
  CHECK(rig.See(1, kLong) != nullptr);
}

TEST_CASE("what a server lists no more makes room, and is known again", "[agent][pins]") {
  Rig rig;
  for (int tool = 0; tool < 100; ++tool) rig.See(tool, kLong);
  // Somebody is shown it still.
  const SeenDefinition shown = rig.See(0, kLong);
  SECTION("once the control plane knows") {
    rig.Pin(100);
    rig.List({"t1"});
    CHECK_FALSE(rig.pins.WantsText("wiki", Rig::Define(0, kLong)));
    CHECK_FALSE(rig.pins.WantsText("wiki", Rig::Define(1, kLong)));
    CHECK(rig.pins.WantsText("wiki", Rig::Define(2, kLong)));
    CHECK(rig.pins.WantsText("wiki", Rig::Define(99, kLong)));
    CHECK(rig.pins.Find("wiki", "t2", "a2")->json.empty());
    CHECK(rig.pins.IsAccepted(*rig.snapshot, "wiki", Rig::Define(2, kLong)));
    CHECK(rig.See(2, kLong)->json.size() == kLong);
    CHECK(rig.pins.Find("wiki", "t2", "a2")->json.size() == kLong);
    CHECK_FALSE(rig.pins.WantsText("wiki", Rig::Define(2, kLong)));
    CHECK(rig.pins.Find("wiki", "t0", "a0") == shown);
  }
  SECTION("and not before") {
    rig.List({"t1"});
    CHECK_FALSE(rig.pins.WantsText("wiki", Rig::Define(2, kLong)));
    CHECK_FALSE(rig.pins.Find("wiki", "t2", "a2")->json.empty());
  }
}

}  // namespace
}  // namespace sallyport::agent
