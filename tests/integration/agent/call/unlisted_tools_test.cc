// Which pinned tools a server lists no more, as the agent tells it: by lists that were read to
// their end alone.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using Names = std::vector<std::string>;

Json Tools(const Names& names) {
  Json tools = Json::array();
  for (const std::string& name : names)
    tools.push_back({{"name", name}, {"inputSchema", {{"type", "object"}}}});
  return tools;
}

// What the server says to tools/list.
void Answer(Door& door, const std::function<Json(const Json& params)>& result) {
  door.set_awkward([result](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    return ResultOf(message, result(message.value("params", Json::object())));
  });
}

// The pins of another agent's: what it saw of them is nothing that this one's server says.
void Pin(Door& door, const Names& names) {
  const std::uint64_t version = door.control.Edit([&](agent::v1::Snapshot& snapshot) {
    for (const std::string& name : names) {
      types::v1::ToolPin& pin = *snapshot.add_tool_pins();
      pin.set_server("wiki");
      pin.set_name(name);
      pin.set_definition_hash(std::string(64, '0'));
    }
  });
  REQUIRE(door.AwaitSnapshot(version));
}

std::string Page(const std::string& params) {
  return R"({"jsonrpc":"2.0","id":5,"method":"tools/list","params":)" + params + "}";
}

TEST_CASE("a pinned tool that the whole list lacks is told of, and that it is back",
          "[agent][pins]") {
  Door door;
  const Door::Bot bot = door.Connect();
  Pin(door, {"gone", "hidden"});
  Answer(door, [](const Json&) { return Json{{"tools", Tools({"echo", "hidden"})}}; });
  bot.Post(Page("{}"));
  CHECK(door.control.AwaitUnlisted({"gone"}));
  Answer(door, [](const Json&) { return Json{{"tools", Tools({"echo", "gone", "hidden"})}}; });
  bot.Post(Page("{}"));
  CHECK(door.control.AwaitUnlisted({}));
}

TEST_CASE("no page says what the pages after it lack", "[agent][pins]") {
  Door door;
  const Door::Bot bot = door.Connect();
  Pin(door, {"first", "second", "third"});
  Answer(door, [](const Json& params) {
    if (params.value("cursor", "") == "2") return Json{{"tools", Tools({"second"})}};
    return Json{{"tools", Tools({"first"})}, {"nextCursor", "2"}};
  });
  bot.Post(Page("{}"));
  bot.Post(Page(R"({"cursor":"2"})"));
  CHECK(door.control.AwaitUnlisted({"third"}));
  // Neither the last page alone nor the first one says anything against a tool; either says that
  // one is there.
  bot.Post(Page(R"({"cursor":"2"})"));
  Answer(door, [](const Json&) { return Json{{"tools", Tools({"third"})}, {"nextCursor", "2"}}; });
  bot.Post(Page("{}"));
  CHECK(door.control.AwaitUnlisted({}));
  CHECK(door.control.lists() == 2);
}

TEST_CASE("what is no list says nothing of any tool", "[agent][pins]") {
  Door door(HoldFor(1));
  const Door::Bot bot = door.Connect();
  Pin(door, {"echo"});
  const Json no_list = GENERATE(Json::object(), Json{{"tools", "none"}});
  Answer(door, [&](const Json&) { return no_list; });
  bot.Post(Page("{}"));
  // A call of what is not shown makes the agent look itself.
  bot.Post(Door::Call("echo"));
  Answer(door, [](const Json&) { return Json{{"tools", Tools({"echo"})}}; });
  bot.Post(Page("{}"));
  CHECK(door.control.AwaitUnlisted({}));
  CHECK(door.control.lists() == 1);
}

TEST_CASE("the agent's own look at all pages counts", "[agent][pins]") {
  Door door(HoldFor(1));
  const Door::Bot bot = door.Connect();
  Pin(door, {"echo"});
  Answer(door, [](const Json& params) {
    if (params.value("cursor", "") == "2") return Json{{"tools", Tools({"delete"})}};
    return Json{{"tools", Json::array()}, {"nextCursor", "2"}};
  });
  bot.Post(Door::Call("echo"));
  CHECK(door.control.AwaitUnlisted({"echo"}));
}

}  // namespace
}  // namespace sallyport
