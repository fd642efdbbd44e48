// A tool that can be pinned to nothing is neither shown nor called, and keeps no other from being
// pinned.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

const std::string kHoldLong = HoldFor(20);

std::string Policy(const std::string& pin) {
  return R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: ["*"]}
---
kind: Server
name: wiki
spec: {pin: )" +
         pin + "}\n";
}

void List(Door& door, const std::vector<std::string>& tools) {
  door.set_awkward([tools](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    Json list = Json::array();
    for (const std::string& name : tools) list.push_back({{"name", name}, {"description", "does"}});
    return ResultOf(message, {{"tools", list}});
  });
}

TEST_CASE("a name that cannot be pinned switches nothing off", "[agent][pins]") {
  const std::string longest(4096, 'n');
  const std::string longer(4097, 'n');
  const std::string pin = GENERATE("hold", "deny");
  Door door(kHoldLong, Policy(pin));
  const Door::Bot bot = door.Connect();
  List(door, {longer, "echo", "", longest});
  CHECK(Listed(bot) == std::vector<std::string>{"echo", longest});
  CHECK(door.control.AwaitReport("echo"));
  CHECK(door.control.AwaitReport(longest));
  CHECK_FALSE(door.control.has_report(longer));
  CHECK_FALSE(door.control.has_report(""));
  // No message may name it either.
  for (const std::string& name : {longer, std::string()}) {
    CHECK(Door::Message(bot.Post(Door::Call(name))).contains("error"));
  }
  CHECK(door.Seen("tools/call") == 0);
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("where changes are ignored, any name is shown", "[agent][pins]") {
  const std::string longer(4097, 'n');
  Door door(kHoldLong, Policy("ignore"));
  const Door::Bot bot = door.Connect();
  List(door, {longer, "echo"});
  CHECK(Listed(bot) == std::vector<std::string>{longer, "echo"});
}

TEST_CASE("what the control plane does not pin is not relied on", "[agent][pins]") {
  Door door(kHoldLong, Policy("hold"));
  const Door::Bot bot = door.Connect();
  door.control.set_not_pinned("search");
  List(door, {"search", "echo"});
  Listed(bot);
  REQUIRE(door.control.AwaitReport("search"));
  // The agent hears of it when its report is answered.
  std::vector<std::string> listed;
  for (int i = 0; i < 2000 && listed.size() != 1; ++i) {
    listed = Listed(bot);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(listed == std::vector<std::string>{"echo"});
  CHECK(ReasonOf(bot.Post(Door::Call("search"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("behind as many tools as are kept no other is shown, whoever has seen it",
          "[agent][pins]") {
  Door door(kHoldLong, Policy("hold"));
  const Door::Bot bot = door.Connect();
  List(door, {"echo"});
  CHECK(Listed(bot) == std::vector<std::string>{"echo"});
  REQUIRE(door.control.AwaitReport("echo"));
  // As after a restart of the agent: it has seen none of them itself.
  const std::uint64_t version = door.control.Edit([](agent::v1::Snapshot& snapshot) {
    for (int i = snapshot.tool_pins_size(); i < 4096; ++i) {
      types::v1::ToolPin& pin = *snapshot.add_tool_pins();
      pin.set_server("wiki");
      pin.set_name("get-" + std::to_string(i));
      pin.set_definition_hash(std::string(64, '0'));
    }
  });
  REQUIRE(door.AwaitSnapshot(version));
  List(door, {"search", "echo"});
  CHECK(Listed(bot) == std::vector<std::string>{"echo"});
  CHECK(ReasonOf(bot.Post(Door::Call("search"))) == "definition_changed");
  CHECK(ReasonOf(bot.Post(Door::Call("never-seen"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

}  // namespace
}  // namespace sallyport
