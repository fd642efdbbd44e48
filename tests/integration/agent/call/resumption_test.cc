// Streams that are cut off and taken up again, on both sides of the agent.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using types::v1::DENIAL_REASON_LIMIT_EXCEEDED;
using types::v1::DENIAL_REASON_MESSAGE_INVALID;
using types::v1::RECORD_TYPE_DENIAL;

std::string Progress(int n) {
  return R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":)" +
         std::to_string(n) + "}}";
}
std::string Result(int id) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
         R"(,"result":{"content":[{"type":"text","text":"done"}]}})";
}
std::string Event(const std::string& data, const std::string& id = "") {
  return (id.empty() ? "" : "id: " + id + "\n") + "data: " + data + "\n\n";
}
RawHttpServer::Reply Streamed(const std::string& events) {
  return {.bytes =
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
              "chunked\r\n\r\n" +
              HttpChunk(events) + "0\r\n\r\n"};
}

// A server whose call says one progress, leaves, and says the rest to who comes back for it, once
// the test lets it.
struct PausedCall {
  explicit PausedCall(Door& door, const std::string& rest) {
    door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
      if (message.value("method", "") != "tools/call") return std::nullopt;
      return Streamed("retry: 50\n" + Event(Progress(1), "up-1"));
    });
    door.set_stream([gone = go_.get_future().share(), rest](const std::string& request) {
      if (request.find("Last-Event-ID: up-1\r\n") == std::string::npos) {
        return RawHttpServer::Reply{HttpReply(405, "text/plain", "")};
      }
      gone.wait();
      return Streamed(rest);
    });
  }
  void Go() { go_.set_value(); }
  std::promise<void> go_;
};

Door::Request CallOf(const Door::Bot& bot, const std::string& more_fields = "") {
  return {.token = bot.token,
          .session_id = bot.session_id,
          .body = Door::Call("echo", "{}", 7),
          .more_fields = more_fields};
}
Door::Request GetOf(const Door::Bot& bot, const std::string& last_event_id) {
  return {.method = "GET",
          .token = bot.token,
          .session_id = bot.session_id,
          .more_fields = last_event_id.empty() ? "" : "Last-Event-ID: " + last_event_id + "\r\n"};
}
const char kPrefersStream[] = "Accept: text/event-stream;q=1, application/json;q=0.9\r\n";

// The values of a field in a stream's events, in their order.
std::vector<std::string> Fields(const std::string& body, const std::string& name) {
  std::vector<std::string> values;
  const std::string start = name + ": ";
  for (std::size_t at = 0; at < body.size(); at = body.find('\n', at) + 1) {
    if (body.compare(at, start.size(), start) == 0) {
      values.push_back(body.substr(at + start.size(), body.find('\n', at) - at - start.size()));
    }
    if (body.find('\n', at) == std::string::npos) break;
  }
  return values;
}
std::string LastId(const std::string& body) {
  const auto ids = Fields(body, "id");
  return ids.empty() ? "" : ids.back();
}
// Id `from` with another number in its last place.
std::string WithNumber(const std::string& id, const std::string& n) {
  return id.substr(0, id.rfind('-') + 1) + n;
}

TEST_CASE("a client that is cut off gets the rest of its stream, once and in order",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  PausedCall call(door, Event(Progress(2)) + Event(Progress(3)) + Event(Result(7)));
  std::string first;
  {
    HttpClient client(door.agent->port());
    client.Send(door.Bytes(CallOf(bot)));
    first = client.ReadUntil(Progress(1) + "\n\n").body;
  }
  CHECK(Fields(first, "data") == std::vector<std::string>{"", Progress(1)});
  const auto ids = Fields(first, "id");
  REQUIRE(ids.size() == 2);
  CHECK(ids[0] != ids[1]);

  HttpClient again(door.agent->port());
  SECTION("while the call goes on") {
    again.Send(door.Bytes(GetOf(bot, ids[1])));
    CHECK(again.ReadUntil("").is_stream());
    call.Go();
  }
  SECTION("when it is over") {
    call.Go();
    REQUIRE(door.control.AwaitResult("tools/call"));
    again.Send(door.Bytes(GetOf(bot, ids[1])));
    again.ReadUntil("");
  }
  const auto rest = again.ReadRest();
  CHECK(Fields(rest.body, "data") == std::vector<std::string>{Progress(2), Progress(3), Result(7)});
  std::vector<std::string> all = Fields(rest.body, "id");
  all.insert(all.end(), ids.begin(), ids.end());
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == 5);
  CHECK(door.Seen("tools/call") == 1);

  // From the priming event on: all of it. After the response: nothing, and no more to come for.
  CHECK(Fields(door.Send(GetOf(bot, ids[0])).body, "data").size() == 4);
  CHECK(door.Send(GetOf(bot, LastId(rest.body))).status == 204);
}

TEST_CASE("a client of an older version gets ids, and no event without data", "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  PausedCall call(door, Event(Result(7)));
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(CallOf(bot, "MCP-Protocol-Version: 2025-06-18\r\n")));
  const auto first = client.ReadUntil(Progress(1) + "\n\n");
  CHECK(Fields(first.body, "data") == std::vector<std::string>{Progress(1)});
  client.Close();
  call.Go();
  const auto rest = door.Send(GetOf(bot, LastId(first.body)));
  CHECK(Fields(rest.body, "data") == std::vector<std::string>{Result(7)});
}

TEST_CASE("a client that comes back displaces the connection it left, and a message goes to one",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  PausedCall call(door, Event(Progress(2)) + Event(Result(7)));
  HttpClient first(door.agent->port()), second(door.agent->port()), third(door.agent->port());
  first.Send(door.Bytes(CallOf(bot)));
  const std::string id = LastId(first.ReadUntil(Progress(1) + "\n\n").body);
  second.Send(door.Bytes(GetOf(bot, id)));
  CHECK(second.ReadUntil("").is_stream());
  CHECK(first.AwaitClose());
  third.Send(door.Bytes(GetOf(bot, id)));
  CHECK(third.ReadUntil("").is_stream());
  CHECK(Fields(second.ReadRest().body, "data").empty());
  call.Go();
  CHECK(Fields(third.ReadRest().body, "data") == std::vector<std::string>{Progress(2), Result(7)});
}

TEST_CASE("an id that names no place in a stream of the session is refused and recorded",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const Door::Bot other = door.Connect();
  PausedCall call(door, Event(Result(7)));
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(CallOf(bot)));
  const std::string id = LastId(client.ReadUntil(Progress(1) + "\n\n").body);
  const auto refused = [&](const Door::Bot& who, const std::string& last_event_id) {
    const auto answer = door.Send(GetOf(who, last_event_id));
    return answer.status == 400 && Json::parse(answer.body)["reason"] == "message_invalid" &&
           answer.body.find("Last-Event-ID") != std::string::npos;
  };
  CHECK(refused(bot, "x"));
  CHECK(refused(bot, std::string(3000, '9')));
  CHECK(refused(bot, WithNumber(id, "2")));
  CHECK(refused(bot, WithNumber(id, "01")));
  CHECK(refused(bot, id.substr(0, id.find('-')) + "-99-0"));
  CHECK(refused(bot, id.substr(0, id.find('-')) + "-0-0"));
  // Another MCP session's, of the same principal.
  CHECK(refused(other, id));
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_MESSAGE_INVALID));
  // Another principal's: it has no such session at all.
  Door::Bot thief = bot;
  thief.token = door.control.Token("thief");
  CHECK(door.Send(GetOf(thief, id)).status == 404);
  call.Go();
  CHECK(Fields(client.ReadRest().body, "data").back() == Result(7));
}

TEST_CASE("what was forgotten while the client was away is said to be, and the call has run",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::string flood;
  for (int n = 2; n < 400; ++n) flood += Event(Progress(n));
  PausedCall call(door, flood + Event(Result(7)));
  std::string id;
  {
    HttpClient client(door.agent->port());
    client.Send(door.Bytes(CallOf(bot)));
    id = LastId(client.ReadUntil(Progress(1) + "\n\n").body);
  }
  call.Go();
  REQUIRE(door.control.AwaitResult("tools/call"));
  const auto answer = door.Send(GetOf(bot, id));
  CHECK(answer.status == 400);
  CHECK(Json::parse(answer.body)["reason"] == "limit_exceeded");
  CHECK(door.control.AwaitRecord(RECORD_TYPE_DENIAL, DENIAL_REASON_LIMIT_EXCEEDED));
  CHECK(Fields(door.Send(GetOf(bot, WithNumber(id, "300"))).body, "data").back() == Result(7));
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a session that ends answers a stream that was taken up, and none can be after it",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  PausedCall call(door, Event(Result(7)));
  HttpClient client(door.agent->port()), again(door.agent->port());
  client.Send(door.Bytes(CallOf(bot)));
  const std::string id = LastId(client.ReadUntil(Progress(1) + "\n\n").body);
  client.Close();
  const bool is_back = GENERATE(true, false);
  if (is_back) {
    again.Send(door.Bytes(GetOf(bot, id)));
    CHECK(again.ReadUntil("").is_stream());
  }
  CHECK(bot.Delete().status == 204);
  if (is_back) CHECK(Door::Message(again.ReadRest())["error"]["code"] == 40302);
  CHECK(door.Send(GetOf(bot, id)).status == 404);
  CHECK(door.control.AwaitEnd());
  call.Go();
}

TEST_CASE("a server's request made while the client was away reaches it when it is back",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect("bot", R"({"elicitation":{}})");
  const std::string ask =
      R"({"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{"message":"?"}})";
  PausedCall call(door, Event(ask) + Event(Result(7)));
  std::string id;
  {
    HttpClient client(door.agent->port());
    client.Send(door.Bytes(CallOf(bot)));
    id = LastId(client.ReadUntil(Progress(1) + "\n\n").body);
  }
  call.Go();
  REQUIRE(door.control.AwaitResult("tools/call"));
  CHECK(Fields(door.Send(GetOf(bot, id)).body, "data") == std::vector<std::string>{ask, Result(7)});
  CHECK(bot.Post(R"({"jsonrpc":"2.0","id":"s1","result":{"action":"accept"}})").status == 202);
  CHECK(door.SawText("\"accept\""));
}

TEST_CASE("a client that prefers streams in all its requests is not sent away", "[agent][stream]") {
  Door door;
  Door::Bot bot{&door, door.control.Token("bot"), {}};
  bot.session_id =
      door.Send({.token = bot.token, .body = Door::Initialize(), .more_fields = kPrefersStream})
          .session_id;
  REQUIRE_FALSE(bot.session_id.empty());
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call")
          gone.wait_for(std::chrono::milliseconds(200));
        return std::nullopt;
      });
  const auto answer = door.Send(CallOf(bot, kPrefersStream));
  CHECK(answer.is_stream());
  CHECK(Fields(answer.body, "retry").empty());
  CHECK(Fields(answer.body, "data").size() == 2);
  CHECK(Door::Message(answer)["id"] == 7);
}

TEST_CASE("a client that prefers a stream once gets it, and comes back for a late answer",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const auto quick = door.Send(CallOf(bot, kPrefersStream));
  CHECK(quick.is_stream());
  CHECK(Fields(quick.body, "data").size() == 2);
  CHECK(Door::Message(quick)["id"] == 7);

  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call") gone.wait();
        return std::nullopt;
      });
  HttpClient client(door.agent->port()), again(door.agent->port());
  client.Send(door.Bytes(CallOf(bot, kPrefersStream)));
  const auto first = client.Read();
  CHECK(Fields(first.body, "data") == std::vector<std::string>{""});
  CHECK(Fields(first.body, "retry").size() == 1);
  CHECK(client.AwaitClose());
  again.Send(door.Bytes(GetOf(bot, LastId(first.body))));
  CHECK(again.ReadUntil("").is_stream());
  go.set_value();
  CHECK(Door::Message(again.ReadRest())["id"] == 7);
  CHECK(door.Seen("tools/call") == 2);
}

TEST_CASE("a client hears of its call while the server takes none of it", "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  door.set_awkward([gone = go.get_future().share()](const Json& message) {
    std::optional<RawHttpServer::Reply> reply;
    if (message.value("method", "") == "tools/call" && message["id"] == 6) {
      reply = RawHttpServer::Reply{.bytes = JsonReply(Result(6)), .pause = [gone] { gone.wait(); }};
    }
    return reply;
  });
  CHECK(Door::Message(bot.Post(Door::Call("echo", "{}", 6)))["id"] == 6);
  // More than the kernel takes for a server that does not read.
  Door::Request large = CallOf(bot, kPrefersStream);
  large.body = Door::Call("echo", R"({"x":")" + std::string(12u << 20, 'x') + "\"}", 7);
  HttpClient client(door.agent->port()), again(door.agent->port());
  client.Send(door.Bytes(large));
  const auto first = client.Read();
  CHECK(Fields(first.body, "retry").size() == 1);
  CHECK(door.Seen("tools/call") == 1);
  again.Send(door.Bytes(GetOf(bot, LastId(first.body))));
  CHECK(again.ReadUntil("").is_stream());
  go.set_value();
  CHECK(Door::Message(again.ReadRest())["id"] == 7);
  CHECK(door.Seen("tools/call") == 2);
}

TEST_CASE("a client of an older version that prefers streams is not sent away", "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") == "tools/call")
          gone.wait_for(std::chrono::milliseconds(200));
        return std::nullopt;
      });
  const auto answer =
      door.Send(CallOf(bot, std::string(kPrefersStream) + "MCP-Protocol-Version: 2025-06-18\r\n"));
  CHECK(Fields(answer.body, "data").size() == 1);
  CHECK(Door::Message(answer)["id"] == 7);
}

TEST_CASE("the GET stream is taken up after the last message the client saw", "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const std::string changed = R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";
  std::promise<void> go;
  door.set_stream([gone = go.get_future().share(), changed](const std::string& request) {
    if (request.find("Last-Event-ID: u1\r\n") == std::string::npos) {
      return Streamed("retry: 50\n" + Event(changed, "u1"));
    }
    gone.wait();
    return Streamed("retry: 60000\n" + Event(Progress(1), "u2") + Event(changed, "u3"));
  });
  CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status == 202);
  HttpClient first(door.agent->port()), second(door.agent->port()), plain(door.agent->port());
  first.Send(door.Bytes(GetOf(bot, "")));
  const auto got = first.ReadUntil(changed + "\n\n");
  CHECK(Fields(got.body, "data") == std::vector<std::string>{"", changed});
  // One at a time, unless it says that it is the same client that comes back.
  const auto conflict = door.Send(GetOf(bot, ""));
  CHECK(conflict.status == 409);
  CHECK(Json::parse(conflict.body)["reason"] == "limit_exceeded");
  second.Send(door.Bytes(GetOf(bot, LastId(got.body))));
  CHECK(second.ReadUntil("").is_stream());
  CHECK(Fields(first.ReadRest().body, "data").size() == 2);
  go.set_value();
  const auto rest = second.ReadOn(changed + "\n\n");
  CHECK(Fields(rest.body, "data") == std::vector<std::string>{Progress(1), changed});
  second.Close();
  plain.Send(door.Bytes(GetOf(bot, LastId(got.body))));
  CHECK(Fields(plain.ReadUntil(changed + "\n\n").body, "data") ==
        std::vector<std::string>{Progress(1), changed});
}

TEST_CASE("an approved call waits for a client that was cut off, and runs when it is back",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::string id;
  {
    HttpClient client(door.agent->port());
    client.Send(door.Bytes(
        {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("delete", "{}", 7)}));
    id = LastId(client.ReadUntil("\n\n").body);
  }
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  approval->set_state(types::v1::APPROVAL_STATE_APPROVED);
  // The agent has seen the client go once it answers others.
  bot.Post(Door::Call("echo"));
  door.control.PushApproval(*approval);
  bot.Post(Door::Call("echo"));
  CHECK_FALSE(door.SawText("\"delete\""));
  const auto answer = door.Send(GetOf(bot, id));
  CHECK(Door::Message(answer)["result"]["content"][0]["text"] == "did {}");
  CHECK(door.SawText("\"delete\""));
}

TEST_CASE("a call approved while its client stays away is not forwarded, and says so",
          "[agent][stream]") {
  Door door(
      "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: {approval_hold_seconds: "
      "1}");
  const Door::Bot bot = door.Connect();
  std::string id;
  {
    HttpClient client(door.agent->port());
    client.Send(door.Bytes(
        {.token = bot.token, .session_id = bot.session_id, .body = Door::Call("delete", "{}", 7)}));
    id = LastId(client.ReadUntil("\n\n").body);
  }
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  bot.Post(Door::Call("echo"));
  approval->set_state(types::v1::APPROVAL_STATE_APPROVED);
  door.control.PushApproval(*approval);
  REQUIRE(door.control.AwaitRecord(RECORD_TYPE_DENIAL, types::v1::DENIAL_REASON_APPROVAL_PENDING));
  const Json result = Door::Message(door.Send(GetOf(bot, id)))["result"];
  CHECK(result["_meta"]["reason"] == "approval_pending");
  CHECK(result["_meta"]["approvalId"] == approval->id());
  CHECK_FALSE(door.SawText("\"delete\""));
}

}  // namespace
}  // namespace sallyport
