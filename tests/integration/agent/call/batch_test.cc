// Batches, which MCP 2025-03-26 alone has.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_MESSAGE_INVALID;
using types::v1::DENIAL_REASON_POLICY_DENIED;
using types::v1::RECORD_TYPE_DENIAL;

Door::Bot ConnectWith(const Door& door, const std::string& version,
                      const std::string& capabilities = "{}") {
  const std::string token = door.control.Token("bot");
  const auto answer = door.Send({.token = token, .body = Door::Initialize(capabilities, version)});
  return Door::Bot{&door, token, answer.session_id};
}

std::string Batch(const std::vector<std::string>& messages) {
  std::string batch = "[";
  for (const std::string& message : messages) {
    if (batch.size() > 1) batch += ",";
    batch += message;
  }
  return batch + "]";
}

// The messages of a streamed answer, by id.
std::map<std::string, Json> Messages(const HttpClient::Answer& answer) {
  std::map<std::string, Json> by_id;
  CHECK(answer.is_stream());
  for (std::size_t at = answer.body.find("data: "); at != std::string::npos;
       at = answer.body.find("data: ", at + 1)) {
    const Json message =
        Json::parse(answer.body.substr(at + 6, answer.body.find('\n', at) - at - 6));
    const std::string id = message.contains("id") ? message["id"].dump() : "";
    CHECK(by_id.count(id) == 0);
    by_id[id] = message;
  }
  return by_id;
}

TEST_CASE("each message of a batch is judged, masked and recorded by itself", "[agent][call]") {
  Door door;
  const Door::Bot bot = ConnectWith(door, "2025-03-26");
  const auto answers =
      Messages(bot.Post(Batch({Door::Call("echo", R"({"n":1})", 1), Door::Call("drop-all", "{}", 2),
                               Door::Call("unheard-of", "{}", 3),
                               Door::Call("echo", R"({"key":"AKIAZQ3DRSTUVWXY2LMN"})", 4),
                               R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
                               R"({"jsonrpc":"2.0","id":"l","method":"tools/list"})"})));
  REQUIRE(answers.size() == 5);
  CHECK(answers.at("1")["result"]["content"][0]["text"] == "did {\"n\":1}");
  CHECK(answers.at("2")["result"]["_meta"]["reason"] == "policy_denied");
  CHECK(answers.at("3")["error"]["code"] == -32602);
  CHECK(answers.at("4")["result"]["content"][0]["text"] == "did {\"key\":\"[REDACTED:aws]\"}");
  CHECK(answers.at("\"l\"")["result"]["tools"].size() == 2);
  CHECK(door.Seen("tools/call") == 2);
  CHECK(door.Seen("notifications/initialized") == 1);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_POLICY_DENIED));
}

TEST_CASE("the calls of a batch run at the same time", "[agent][call]") {
  Door door;
  const Door::Bot bot = ConnectWith(door, "2025-03-26");
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call") gone.wait();
        return std::nullopt;
      });
  HttpClient client(door.agent->port());
  client.Send(door.Bytes({.token = bot.token,
                          .session_id = bot.session_id,
                          .body = Batch({Door::Call("echo", "{}", 1), Door::Call("echo", "{}", 2),
                                         Door::Call("echo", "{}", 3)})}));
  while (door.Seen("tools/call") < 3) std::this_thread::yield();
  go.set_value();
  CHECK(Messages(client.Read()).size() == 3);
}

TEST_CASE("the last call of max_calls goes out, whatever else of its session ends before it does",
          "[agent][call]") {
  Door door;
  door.control.set_opener([&](const auto&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.mutable_terms()->set_max_calls(1);
    return door.control.Active(session);
  });
  const Door::Bot bot = ConnectWith(door, "2025-03-26");
  // They are refused while the call is on its way to its record.
  std::vector<std::string> messages;
  for (int id = 2; id < 10; ++id) messages.push_back(Door::Call("drop-all", "{}", id));
  messages.push_back(Door::Call("echo", "{}", 1));
  const auto answers = Messages(bot.Post(Batch(messages)));
  CHECK(answers.at("1")["result"].contains("content"));
  CHECK(door.Seen("tools/call") == 1);
  const auto end = door.control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
}

TEST_CASE("a batch without a request is accepted", "[agent][call]") {
  Door door;
  const Door::Bot bot = ConnectWith(door, "2025-03-26");
  const auto answer =
      bot.Post(Batch({R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
                      R"({"jsonrpc":"2.0","id":"never","result":{"action":"injected"}})"}));
  CHECK(answer.status == 202);
  CHECK(answer.body.empty());
  CHECK(door.Seen("notifications/initialized") == 1);
  CHECK_FALSE(door.SawText("injected"));
}

TEST_CASE("a request that its batch takes back gets no response", "[agent][call]") {
  Door door;
  const Door::Bot bot = ConnectWith(door, "2025-03-26");
  const auto answers = Messages(bot.Post(
      Batch({Door::Call("echo", "{}", 1),
             R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
             Door::Call("echo", "{}", 2)})));
  CHECK(answers.count("1") == 0);
  CHECK(answers.count("2") == 1);
}

TEST_CASE("a batch is refused as a whole where there are none, or where it is none",
          "[agent][call]") {
  Door door;
  const std::string calls = Batch({Door::Call("echo", "{}", 1), Door::Call("echo", "{}", 2)});
  for (const char* version : {"2025-11-25", "2025-06-18", "2024-11-05"}) {
    INFO(version);
    const auto answer = ConnectWith(door, version).Post(calls);
    CHECK(answer.status == 400);
    CHECK(Json::parse(answer.body)["error"]["code"] == -32600);
  }
  const Door::Bot bot = ConnectWith(door, "2025-03-26");
  for (
      const std::string& body :
      {std::string("[]"), Batch({Door::Call("echo"), Door::Call("echo")}),
       Batch({Door::Call("echo"), "7"}), Batch({calls}),
       Batch({Door::Call("echo"), Door::Initialize()}),
       Batch(
           {Door::Call("echo"),
            R"({"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"})}) {
    INFO(body);
    const auto answer = bot.Post(body);
    CHECK(answer.status == 400);
    CHECK(Json::parse(answer.body)["error"]["code"] == -32600);
  }
  CHECK(bot.Post("[" + Door::Call("echo")).status == 400);
  CHECK(door.Send({.token = bot.token, .body = calls}).status == 400);
  CHECK(door.Send({.token = bot.token, .session_id = "never", .body = calls}).status == 404);
  CHECK(door.Seen("tools/call") == 0);
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_MESSAGE_INVALID));
  CHECK(Door::Message(bot.Post(Door::Call("echo")))["result"].contains("content"));
}

TEST_CASE("a server's question in the midst of a batch is asked, and answered in another",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = ConnectWith(door, "2025-03-26", R"({"elicitation":{}})");
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(R"({"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}})",
                    message["id"]);
  });
  const auto answers = Messages(bot.Post(
      Batch({Door::Call("echo", "{}", 1), R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})"})));
  CHECK(answers.at("\"s1\"")["method"] == "elicitation/create");
  CHECK(answers.count("1") == 1);
  CHECK(answers.count("2") == 1);
  CHECK(bot.Post(Batch({R"({"jsonrpc":"2.0","id":"s1","result":{"action":"accept"}})"})).status ==
        202);
  CHECK(door.SawText("\"accept\""));
}

}  // namespace
}  // namespace sallyport
