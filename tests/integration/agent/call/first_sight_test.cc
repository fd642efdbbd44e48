// What an agent sees first of a tool is what the control plane pins, whenever it comes to hear of
// it.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

const std::string kHoldOne = HoldFor(1);

// The server lists so many tools, named tool-0 and so on, each with that description.
void Describe(Door& door, const std::string& description, int tools = 1) {
  door.set_awkward([=](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    Json list = Json::array();
    for (int i = 0; i < tools; ++i) {
      list.push_back({{"name", "tool-" + std::to_string(i)}, {"description", description}});
    }
    return ResultOf(message, {{"tools", list}});
  });
}

std::string Policy(const std::string& pin) {
  return R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules: [{allow: {tools: ["*"]}}]
---
kind: Server
name: wiki
spec: {pin: )" +
         pin + "}\n";
}

bool Says(const agent::v1::SeenTool& seen, const std::string& description) {
  return Json::parse(seen.definition())["description"] == description;
}

types::v1::ToolPin PinOf(Door& door, const std::string& tool) {
  types::v1::ToolPin found;
  door.control.Edit([&](const agent::v1::Snapshot& snapshot) {
    for (const auto& pin : snapshot.tool_pins()) {
      if (pin.name() == tool) found = pin;
    }
  });
  return found;
}

// Until the agent has all pins that there are now.
void AwaitSnapshot(Door& door) {
  std::uint64_t version = 0;
  door.control.Edit([&](agent::v1::Snapshot& snapshot) { version = snapshot.version() + 1; });
  REQUIRE(door.agent->AwaitLog("\"version\":" + std::to_string(version) + "}", 0));
}

TEST_CASE("a tool that changes before the control plane hears of it is pinned to its first sight",
          "[agent][pins]") {
  Door door(kHoldOne, Policy("hold"));
  const Door::Bot bot = door.Connect();
  door.control.set_hears_reports(false);
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"tool-0"});
  REQUIRE(door.agent->AwaitLog("tools_not_reported", 0));
  const std::size_t logged = door.agent->log().size();
  Describe(door, "says it again, to others too");
  CHECK(Listed(bot).empty());
  REQUIRE(door.agent->AwaitLog("tools_not_reported", logged));

  door.control.set_hears_reports(true);
  CHECK(Listed(bot).empty());
  const auto changed = door.control.AwaitReport("tool-0", [](const agent::v1::SeenTool& seen) {
    return Says(seen, "says it again, to others too");
  });
  REQUIRE(changed);
  const auto first = door.control.AwaitReport(
      "tool-0", [](const agent::v1::SeenTool& seen) { return Says(seen, "says it again"); });
  REQUIRE(first);
  const types::v1::ToolPin pin = PinOf(door, "tool-0");
  CHECK(pin.definition_hash() == first->definition_hash());
  CHECK(pin.is_changed());
  AwaitSnapshot(door);
  CHECK(Listed(bot).empty());
  CHECK(ReasonOf(bot.Post(Door::Call("tool-0"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"tool-0"});
}

TEST_CASE("what changes while it is reported is pinned to its first sight", "[agent][pins]") {
  // More than one report takes.
  constexpr int kTools = 2500;
  Door door(kHoldOne, Policy("hold"));
  const Door::Bot bot = door.Connect();
  Describe(door, "says it again", kTools);
  HttpClient first(door.agent->port());
  HttpClient second(door.agent->port());
  const std::string list = R"({"jsonrpc":"2.0","id":5,"method":"tools/list"})";
  first.Send(door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = list}));
  first.Read();
  Describe(door, "says it again, to others too", kTools);
  second.Send(door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = list}));
  CHECK(Door::Message(second.Read())["result"]["tools"].empty());
  REQUIRE(door.control.AwaitReport("tool-2499", [](const agent::v1::SeenTool& seen) {
    return Says(seen, "says it again, to others too");
  }));
  AwaitSnapshot(door);
  CHECK(Listed(bot).empty());
  CHECK(PinOf(door, "tool-2499").is_changed());
}

TEST_CASE("what changed while changes were ignored is pinned to what it is", "[agent][pins]") {
  Door door(kHoldOne, Policy("ignore"));
  const Door::Bot bot = door.Connect();
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"tool-0"});
  Describe(door, "says it again, to others too");
  CHECK(Listed(bot) == std::vector<std::string>{"tool-0"});
  door.control.Apply(Policy("hold"), {"wiki"});
  AwaitSnapshot(door);
  CHECK(Listed(bot) == std::vector<std::string>{"tool-0"});
  const auto pinned = door.control.AwaitReport("tool-0");
  REQUIRE(pinned);
  CHECK(Says(*pinned, "says it again, to others too"));
  AwaitSnapshot(door);
  CHECK_FALSE(PinOf(door, "tool-0").is_changed());
}

}  // namespace
}  // namespace sallyport
