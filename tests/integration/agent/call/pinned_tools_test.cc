// What a server says of its tools is pinned at first sight; what it says otherwise later is hidden
// and called by nobody until it is accepted.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using enum types::v1::DenialReason;

constexpr char kList[] = R"({"jsonrpc":"2.0","id":5,"method":"tools/list"})";
const std::string kHoldOne = HoldFor(1);
const std::string kHoldLong = HoldFor(20);

// The server lists its tools with that description of echo.
void Describe(Door& door, const std::string& description) {
  door.set_awkward([description](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    return ResultOf(message, {{"resultType", "complete"},
                              {"ttlMs", 0},
                              {"cacheScope", "private"},
                              {"tools", Json::array({{{"name", "echo"},
                                                      {"description", description},
                                                      {"inputSchema", {{"type", "object"}}}},
                                                     {{"name", "delete"},
                                                      {"description", "deletes"},
                                                      {"inputSchema", {{"type", "object"}}}}})}});
  });
}

// Lists with the first description, and then with another one.
void Change(Door& door, const Door::Bot& bot) {
  Describe(door, "says it again");
  REQUIRE(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  const auto pinned = door.control.AwaitReport("echo");
  REQUIRE(pinned);
  CHECK(Json::parse(pinned->definition())["description"] == "says it again");
  Describe(door, "says it again, to others too");
}

void Accept(Door& door, const std::string& hash) {
  door.control.Edit([&](agent::v1::Snapshot& snapshot) {
    for (auto& pin : *snapshot.mutable_tool_pins()) {
      if (pin.name() != "echo") continue;
      pin.set_definition_hash(hash);
      pin.set_is_changed(false);
    }
  });
}

TEST_CASE("a tool that changes is hidden, told of, and called by nobody", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  Change(door, bot);
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  const auto told = door.control.AwaitReport("echo", [](const agent::v1::SeenTool& seen) {
    return seen.definition().find("others") != std::string::npos;
  });
  REQUIRE(told);
  const auto refused = bot.Post(Door::Call("echo"));
  CHECK(Door::Message(refused)["result"]["isError"] == true);
  CHECK(ReasonOf(refused) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_DENIAL, DENIAL_REASON_DEFINITION_CHANGED));

  // It is what it was: nobody has to accept anything.
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a call of a changed tool waits, and goes on when the change is accepted",
          "[agent][pins]") {
  Door door(kHoldLong);
  const Door::Bot bot = door.Connect();
  Change(door, bot);
  Listed(bot);
  const auto told = door.control.AwaitReport("echo", [](const agent::v1::SeenTool& seen) {
    return seen.definition().find("others") != std::string::npos;
  });
  REQUIRE(told);
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(
      {.token = bot.token,
       .session_id = bot.session_id,
       .body =
           R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{},"_meta":{"progressToken":"p"}}})"}));
  const auto begun = client.ReadUntil("notifications/progress");
  CHECK(begun.body.find("accepts the changed definition") != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);
  Accept(door, told->definition_hash());
  CHECK(Door::Message(client.ReadRest())["result"].contains("content"));
  CHECK(door.Seen("tools/call") == 1);
  CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
}

TEST_CASE("a modern call of a changed tool comes again by itself", "[agent][pins]") {
  Door door(kHoldOne, kPolicy, false, "", ServerEras::kModern);
  const ModernClient client(door);
  Describe(door, "says it again");
  client.Post({.method = "tools/list"});
  REQUIRE(door.control.AwaitReport("echo"));
  Describe(door, "says it again, to others too");
  client.Post({.method = "tools/list"});
  ModernClient::Ask call = ModernClient::Call("echo");
  const Json round = Door::Message(client.Post(call))["result"];
  CHECK(round["resultType"] == "input_required");
  CHECK(door.Seen("tools/call") == 0);
  Describe(door, "says it again");
  client.Post({.method = "tools/list"});
  call.params["requestState"] = round["requestState"];
  CHECK(Door::Message(client.Post(call))["result"].contains("content"));
}

TEST_CASE("a call of a client that does not list is no way around", "[agent][pins]") {
  Door door(kHoldOne);
  Change(door, door.Connect());
  const Door::Bot other = door.Connect();
  CHECK(ReasonOf(other.Post(Door::Call("echo"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  // One look is enough for the connection.
  const int lists = door.Seen("tools/list");
  CHECK(ReasonOf(other.Post(Door::Call("echo"))) == "definition_changed");
  CHECK(door.Seen("tools/list") == lists);
  // Nothing relies on what nobody has seen: it is judged by policy alone.
  CHECK(Door::Message(door.Connect("other").Post(Door::Call("get-page")))["result"].contains(
      "content"));
  CHECK(door.Seen("tools/list") == lists);
}

TEST_CASE("a look that cannot be recorded says nothing of the tool", "[agent][pins]") {
  const ServerEras eras = GENERATE(ServerEras::kLegacy, ServerEras::kModern);
  Door door(kHoldOne, kPolicy, false, "", eras);
  Describe(door, "says it again");
  const auto refuses = [&](const std::function<HttpClient::Answer()>& call) {
    door.agent->BreakDisk();
    const int lists = door.Seen("tools/list");
    CHECK(ReasonOf(call()) == "recorder_unavailable");
    CHECK(ReasonOf(call()) == "recorder_unavailable");
    CHECK(door.Seen("tools/list") == lists);
    CHECK(door.Seen("tools/call") == 0);
  };
  if (eras == ServerEras::kLegacy) {
    Listed(door.Connect());
    REQUIRE(door.control.AwaitReport("echo"));
    const Door::Bot other = door.Connect();
    refuses([&] { return other.Post(Door::Call("echo")); });
  } else {
    ModernClient(door, "first").Post({.method = "tools/list"});
    REQUIRE(door.control.AwaitReport("echo"));
    const ModernClient other(door);
    REQUIRE(other.Post(ModernClient::Read("file:///public/a")).status == 200);
    refuses([&] { return other.Post(ModernClient::Call("echo")); });
  }
}

TEST_CASE("a call that waits for a definition waits no longer than it could be recorded",
          "[agent][pins]") {
  Door door(kHoldLong);
  const Door::Bot bot = door.Connect();
  Change(door, bot);
  Listed(bot);
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(
      {.token = bot.token,
       .session_id = bot.session_id,
       .body =
           R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"p"}}})"}));
  REQUIRE(client.ReadUntil("notifications/progress").is_stream());
  door.agent->BreakDisk();
  CHECK(ReasonOf(client.ReadRest()) == "recorder_unavailable");
  CHECK(door.Seen("tools/call") == 0);
}

// The agent has all pins when this returns, or what `edit` has made of them.
void Sync(Door& door, const std::function<void(agent::v1::Snapshot&)>& edit) {
  REQUIRE(door.AwaitSnapshot(door.control.Edit(edit)));
}

// As an administrator does.
void Forget(Door& door, const std::string& tool) {
  Sync(door, [](agent::v1::Snapshot&) {});
  Sync(door, [&](agent::v1::Snapshot& snapshot) {
    auto& pins = *snapshot.mutable_tool_pins();
    const auto is_it = [&](const types::v1::ToolPin& pin) { return pin.name() == tool; };
    pins.erase(std::remove_if(pins.begin(), pins.end(), is_it), pins.end());
  });
}

TEST_CASE("a tool that is forgotten is pinned to what it is when it is seen again",
          "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  Describe(door, "says it again");
  REQUIRE(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  REQUIRE(door.control.AwaitReport("echo"));
  Forget(door, "echo");
  Describe(door, "says it again, to others too");
  CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
  const auto told = door.control.AwaitReport("echo", [](const agent::v1::SeenTool& seen) {
    return seen.definition().find("others") != std::string::npos;
  });
  REQUIRE(told);
  Sync(door, [&](const agent::v1::Snapshot& snapshot) {
    for (const types::v1::ToolPin& pin : snapshot.tool_pins()) {
      if (pin.name() == "echo") CHECK(pin.definition_hash() == told->definition_hash());
    }
  });
  // That holds as the first one did.
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
}

TEST_CASE("a change that an agent has seen is not forgotten with the pin", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  Change(door, bot);
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  Forget(door, "echo");
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
}

// What the control plane has echo pinned to. Empty: nothing.
std::string PinOfEcho(Door& door) {
  std::string hash;
  Sync(door, [&](const agent::v1::Snapshot& snapshot) {
    for (const types::v1::ToolPin& pin : snapshot.tool_pins()) {
      if (pin.name() == "echo") hash = pin.definition_hash();
    }
  });
  return hash;
}

// Changes echo, and the change is accepted: its hash.
std::string ChangeAndAccept(Door& door, const Door::Bot& bot) {
  Change(door, bot);
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  const auto told = door.control.AwaitReport("echo", [](const agent::v1::SeenTool& seen) {
    return seen.definition().find("others") != std::string::npos;
  });
  REQUIRE(told);
  Accept(door, told->definition_hash());
  Sync(door, [](agent::v1::Snapshot&) {});
  return told->definition_hash();
}

TEST_CASE("a tool that was changed and accepted is forgotten as any other", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  const std::string accepted = ChangeAndAccept(door, bot);
  REQUIRE(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  SECTION("it is as it was, and told of again") {
    Forget(door, "echo");
    CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
    CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
    for (int i = 0; i < 200 && PinOfEcho(door).empty(); ++i) Listed(bot);
    CHECK(PinOfEcho(door) == accepted);
  }
  SECTION("its server says a third thing, and one client was shown the first one long ago") {
    Describe(door, "says it again");
    const Door::Bot other = door.Connect("other");
    Listed(other);
    Describe(door, "says it again, to others too");
    Listed(bot);
    Forget(door, "echo");
    // That was shown while it was not accepted.
    CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
    Describe(door, "a third thing");
    CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  }
}

TEST_CASE("a client that was shown what was accepted before keeps nothing from being forgotten",
          "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot early = door.Connect("other");
  Describe(door, "says it again");
  Listed(early);
  const Door::Bot bot = door.Connect();
  const std::string accepted = ChangeAndAccept(door, bot);
  Forget(door, "echo");
  Describe(door, "a third thing");
  CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  const auto third = door.control.AwaitReport("echo", [](const agent::v1::SeenTool& seen) {
    return seen.definition().find("third") != std::string::npos;
  });
  REQUIRE(third);
  CHECK(PinOfEcho(door) == third->definition_hash());
}

TEST_CASE("what another agent saw first makes what this one sees a change that is not forgotten",
          "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  door.control.set_hears_reports(false);
  Describe(door, "says it again");
  Listed(bot);
  Sync(door, [](agent::v1::Snapshot& snapshot) {
    types::v1::ToolPin& pin = *snapshot.add_tool_pins();
    pin.set_server("wiki");
    pin.set_name("echo");
    pin.set_definition_hash(std::string(64, '0'));
  });
  Forget(door, "echo");
  Describe(door, "a third thing");
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
}

TEST_CASE("a server that says that its tools have changed is looked at again", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  Describe(door, "says it again");
  REQUIRE(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  REQUIRE(door.control.AwaitReport("echo"));
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return EventsOf(
        {Json{{"jsonrpc", "2.0"}, {"method", "notifications/tools/list_changed"}},
         Json{
             {"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", {{"content", Json::array()}}}}});
  });
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
  Describe(door, "says it again, to others too");
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("where the server shows nothing, what another agent saw is not called", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    return ResultOf(message, Json::object());
  });
  door.control.Edit([](agent::v1::Snapshot& snapshot) {
    types::v1::ToolPin& pin = *snapshot.add_tool_pins();
    pin.set_server("wiki");
    pin.set_name("echo");
    pin.set_definition_hash(std::string(64, '0'));
    pin.set_is_changed(true);
  });
  std::string reason;
  for (int i = 0; i < 200 && reason.empty(); ++i) reason = ReasonOf(bot.Post(Door::Call("echo")));
  CHECK(reason == "definition_changed");
}

TEST_CASE("a tool that policy shows nobody is none that anything relies on", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  bot.Post(kList);
  REQUIRE(door.control.AwaitReport("echo"));
  CHECK_FALSE(door.control.has_report("secret"));
  CHECK_FALSE(door.control.has_report("drop-all"));
}

TEST_CASE("what an approval relies on is looked at before it is asked for", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  Describe(door, "says it again");
  bot.Post(Door::Call("delete"));
  REQUIRE(door.control.AwaitApproval());
  CHECK(door.Seen("tools/list") == 1);
  CHECK(door.control.AwaitReport("delete"));
}

TEST_CASE("a server's document says what becomes of a changed tool", "[agent][pins]") {
  const auto with = [](const std::string& pin) {
    return std::string(kPolicy) + "---\nkind: Server\nname: wiki\nspec: {pin: " + pin + "}\n";
  };
  SECTION("deny: a call is refused at once") {
    Door door(kHoldLong, with("deny"));
    const Door::Bot bot = door.Connect();
    Change(door, bot);
    CHECK(Listed(bot) == std::vector<std::string>{"delete"});
    CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "definition_changed");
    CHECK(door.Seen("tools/call") == 0);
  }
  SECTION("ignore: nothing") {
    Door door(kHoldOne, with("ignore"));
    const Door::Bot bot = door.Connect();
    Describe(door, "says it again");
    Listed(bot);
    Describe(door, "says it again, to others too");
    CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
    CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
    CHECK_FALSE(door.control.has_report("echo"));
  }
}

TEST_CASE("what a connection was shown last decides, whatever others are shown", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  const Door::Bot other = door.Connect("other");
  Change(door, bot);
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  Describe(door, "says it again");
  CHECK(Listed(other) == std::vector<std::string>{"echo", "delete"});
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  // And the other way round.
  Describe(door, "says it again, to others too");
  Listed(bot);
  CHECK(Door::Message(other.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a call of a changed tool looks again, for as long as it waits", "[agent][pins]") {
  Door door(kHoldLong);
  const Door::Bot bot = door.Connect();
  Change(door, bot);
  Listed(bot);
  HttpClient client(door.agent->port());
  client.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo")}));
  const int lists = door.Seen("tools/list");
  REQUIRE(door.AwaitRequests("tools/list", lists + 1));
  CHECK(door.Seen("tools/call") == 0);
  Describe(door, "says it again");
  CHECK(Door::Message(client.Read())["result"].contains("content"));
}

// Pins echo to what its server says of it, as a control plane has it before any agent looks.
void PinEcho(Door& door) {
  const Door::Bot bot = door.Connect("other");
  Describe(door, "says it again");
  REQUIRE(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  REQUIRE(door.control.AwaitReport("echo"));
}

std::optional<RawHttpServer::Reply> WhenListing(const Json& message, const Json& result) {
  if (message.value("method", "") != "tools/list") return std::nullopt;
  return ResultOf(message, result);
}

TEST_CASE("a pinned tool whose definition cannot be seen is not called", "[agent][pins]") {
  Door door(kHoldOne);
  PinEcho(door);
  SECTION("the server refuses to list") {
    door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/list") return std::nullopt;
      return RawHttpServer::Reply{JsonReply(Json{{"jsonrpc", "2.0"},
                                                 {"id", message["id"]},
                                                 {"error", {{"code", -32603}, {"message", "no"}}}}
                                                .dump())};
    });
  }
  SECTION("its list has the tool no more") {
    door.set_awkward([](const Json& message) {
      return WhenListing(message, {{"tools", Json::array({{{"name", "other"}}})}});
    });
  }
  SECTION("its list has no end") {
    door.set_awkward([](const Json& message) {
      return WhenListing(message,
                         {{"tools", Json::array({{{"name", "other"}}})}, {"nextCursor", "more"}});
    });
  }
  const Door::Bot bot = door.Connect();
  const auto refused = bot.Post(Door::Call("echo"));
  CHECK(ReasonOf(refused) == "definition_changed");
  CHECK(refused.body.find("does not show") != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);
  // What nobody relies on is judged by policy alone.
  CHECK(Door::Message(bot.Post(Door::Call("get-page")))["result"].contains("content"));
  // The server shows it to its client.
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a call of a tool that is not shown waits until it is", "[agent][pins]") {
  Door door(kHoldLong);
  PinEcho(door);
  door.set_awkward([](const Json& message) {
    return WhenListing(message, {{"tools", Json::array()}});
  });
  const Door::Bot bot = door.Connect();
  HttpClient client(door.agent->port());
  client.Send(
      door.Bytes({.token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo")}));
  const int lists = door.Seen("tools/list");
  REQUIRE(door.AwaitRequests("tools/list", lists + 1));
  CHECK(door.Seen("tools/call") == 0);
  Describe(door, "says it again");
  CHECK(Door::Message(client.Read())["result"].contains("content"));
}

TEST_CASE("no flood of names hides a pinned tool that has changed", "[agent][pins]") {
  Door door(kHoldOne);
  PinEcho(door);
  Json flood = Json::array();
  for (int i = 0; i < 4096; ++i) flood.push_back({{"name", "get-" + std::to_string(i)}});
  door.set_awkward([flood](const Json& message) {
    return WhenListing(message, {{"tools", flood}});
  });
  const Door::Bot bot = door.Connect();
  Listed(bot);
  Describe(door, "says it again, to others too");
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
  CHECK(ReasonOf(bot.Post(Door::Call("echo"))) == "definition_changed");
  // What is not kept counts as changed.
  CHECK(ReasonOf(bot.Post(Door::Call("get-page"))) == "definition_changed");
  CHECK(door.Seen("tools/call") == 0);
  Describe(door, "says it again");
  CHECK(Listed(bot) == std::vector<std::string>{"echo", "delete"});
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("secrets in a definition are told to nobody, and still compared", "[agent][pins]") {
  Door door(kHoldOne);
  const Door::Bot bot = door.Connect();
  Describe(door, "with the key AKIAZQ3DRSTUVWXY2LMN");
  Listed(bot);
  const auto pinned = door.control.AwaitReport("echo");
  REQUIRE(pinned);
  CHECK(pinned->definition().find("AKIA") == std::string::npos);
  CHECK(pinned->definition().find("REDACTED") != std::string::npos);
  Describe(door, "with the key AKIAZQ3DRSTUVWXY2LMO");
  CHECK(Listed(bot) == std::vector<std::string>{"delete"});
}

TEST_CASE("an approval is about the definition of the moment, whatever becomes of changes",
          "[agent][pins]") {
  Door door(kHoldOne,
            std::string(kPolicy) + "---\nkind: Server\nname: wiki\nspec: {pin: ignore}\n");
  std::mutex mutex;
  std::vector<agent::v1::RequestCallApprovalRequest> asked;
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    std::lock_guard lock(mutex);
    asked.push_back(request);
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    return response;
  });
  const auto ask_on = [&](const Door::Bot& bot) {
    bot.Post(Door::Call("delete"));
    std::lock_guard lock(mutex);
    REQUIRE_FALSE(asked.empty());
    return asked.back();
  };
  const auto ask = [&] { return ask_on(door.Connect()); };
  Describe(door, "says it again");
  const Door::Bot early = door.Connect();
  const auto first = ask_on(early);
  CHECK(Json::parse(first.tool_definition())["description"] == "deletes");
  CHECK(first.definition_hash().size() == 64);
  door.set_awkward([](const Json& message) {
    return WhenListing(
        message, {{"tools", Json::array({{{"name", "delete"}, {"description", "deletes all"}}})}});
  });
  const auto second = ask();
  CHECK(Json::parse(second.tool_definition())["description"] == "deletes all");
  CHECK(second.definition_hash() != first.definition_hash());
  // The first connection has not been shown that, and was looked at a moment ago.
  const auto third = ask_on(early);
  CHECK(Json::parse(third.tool_definition())["description"] == "deletes");
  CHECK(third.definition_hash() == first.definition_hash());
  CHECK_FALSE(door.control.has_report("delete"));
}

}  // namespace
}  // namespace sallyport
