// Clients of HTTP/1.0, such as an nginx that is left at its defaults.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

const char kProgress[] =
    R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}})";

Door::Request Old(Door::Request request) {
  request.version = "HTTP/1.0";
  request.more_fields += "Connection: keep-alive\r\n";
  return request;
}

// All that the agent says until it closes.
std::string BytesOf(const Door& door, const Door::Request& request) {
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(Old(request)));
  return client.ReadBytes();
}

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A server that says something of a call and then leaves its client waiting.
void KeepWaiting(Door& door) {
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{
        .bytes =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
            "chunked\r\n\r\n" +
            HttpChunk(std::string("data: ") + kProgress + "\n\n"),
        .closes = true,
        .waits = true};
  });
}

TEST_CASE("HTTP/1.0 is served, an answer by its length and a stream until the close",
          "[agent][call]") {
  Door door;
  Door::Bot bot{&door, door.control.Token("bot"), {}};
  const std::string begun = BytesOf(door, {.token = bot.token, .body = Door::Initialize()});
  CHECK(begun.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(Holds(begun, "\r\nConnection: close\r\n"));
  CHECK(Holds(begun, "\r\nContent-Length: "));
  const std::string kSessionField = "Mcp-Session-Id: ";
  const std::size_t at = begun.find(kSessionField);
  REQUIRE(at != std::string::npos);
  bot.session_id =
      begun.substr(at + kSessionField.size(), begun.find('\r', at) - at - kSessionField.size());

  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(kProgress, message["id"]);
  });
  const Door::Request call = {
      .token = bot.token, .session_id = bot.session_id, .body = Door::Call("echo", "{}", 7)};
  const std::string stream = BytesOf(door, call);
  CHECK(stream.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(Holds(stream, "\r\nContent-Type: text/event-stream\r\n"));
  CHECK(Holds(stream, "\r\nConnection: close\r\n"));
  CHECK_FALSE(Holds(stream, "Transfer-Encoding"));
  CHECK_FALSE(Holds(stream, "Content-Length"));
  CHECK(Holds(stream, std::string("data: ") + kProgress + "\n\n"));
  CHECK(stream.ends_with("}\n\n"));
  // As the same stream is told in chunks, but for its ids.
  const auto chunked = door.Send(call);
  const std::string events = stream.substr(stream.find("\r\n\r\n") + 4);
  CHECK(events.size() == chunked.body.size());
  CHECK(Door::Message({.status = 200, .body = events, .content_type = "text/event-stream"}) ==
        Door::Message(chunked));
  // Another request behind the first one is not read.
  HttpClient eager(door.agent->port());
  eager.Send(door.Bytes(Old(call)) + door.Bytes(Old(call)));
  eager.ReadBytes();
  CHECK(door.Seen("tools/call") == 3);
}

TEST_CASE("HTTP/1.0 is refused what HTTP/1.1 is, and chunks", "[agent][call]") {
  Door door;
  const std::string token = door.control.Token("bot");
  const auto status = [&](const Door::Request& request) {
    return BytesOf(door, request).substr(0, 13);
  };
  CHECK(status({.body = Door::Initialize()}) == "HTTP/1.1 401 ");
  CHECK(status({.token = token, .body = Door::Initialize(), .host = "evil.example"}) ==
        "HTTP/1.1 421 ");
  CHECK(status({.token = token,
                .body = Door::Initialize(),
                .more_fields = "Origin: https://evil.example\r\n"}) == "HTTP/1.1 403 ");
  CHECK(status({.token = token,
                .body = Door::Initialize(),
                .more_fields = "Transfer-Encoding: chunked\r\n"}) == "HTTP/1.1 400 ");
  HttpClient nameless(door.agent->port());
  nameless.Send("GET /wiki/mcp HTTP/1.0\r\n\r\n");
  CHECK(nameless.ReadBytes().starts_with("HTTP/1.1 400 "));
  CHECK(door.Seen() == 0);
}

TEST_CASE("the close of HTTP/1.0 cancels a modern call", "[agent][modern]") {
  Door door(ServerEras::kModern);
  const ModernClient modern(door);
  REQUIRE(modern.Post(ModernClient::Call("echo")).status == 200);
  KeepWaiting(door);
  {
    ModernClient::Ask ask = ModernClient::Call("echo");
    ask.more_meta = {{"progressToken", "p"}};
    HttpClient client(door.agent->port());
    client.Send(door.Bytes(Old(modern.Make(ask))));
    CHECK(client.ReadUntil("notifications/progress").is_stream());
  }
  CHECK(door.control.AwaitRecord(types::v1::RECORD_TYPE_OUTCOME,
                                 types::v1::DENIAL_REASON_UNSPECIFIED, "cancelled"));
  CHECK(door.AwaitOpenConnections(0));
}

TEST_CASE("the close of HTTP/1.0 cancels no legacy call: its client comes back for the rest",
          "[agent][stream]") {
  Door door;
  const Door::Bot bot = door.Connect();
  std::promise<void> go;
  door.set_awkward(
      [gone = go.get_future().share()](const Json& message) -> std::optional<RawHttpServer::Reply> {
        if (message.value("method", "") != "tools/call") return std::nullopt;
        gone.wait();
        return Streamed(kProgress, message["id"]);
      });
  HttpClient client(door.agent->port());
  client.Send(door.Bytes(Old({.token = bot.token,
                              .session_id = bot.session_id,
                              .body = Door::Call("echo", "{}", 7),
                              .more_fields = "Accept: text/event-stream;q=1, "
                                             "application/json;q=0.9\r\n"})));
  // It would rather come back than wait: the stream is primed and closed.
  const std::string primed = client.ReadUntil("\n\n").body;
  REQUIRE(primed.starts_with("id: "));
  client.Close();
  go.set_value();
  const std::string rest = BytesOf(
      door, {.method = "GET",
             .token = bot.token,
             .session_id = bot.session_id,
             .more_fields = "Last-Event-ID: " + primed.substr(4, primed.find('\n') - 4) + "\r\n"});
  CHECK(Holds(rest, R"("id":7)"));
  CHECK_FALSE(Holds(rest, "Transfer-Encoding"));
  CHECK(door.Seen("tools/call") == 1);
  CHECK(door.Seen("notifications/cancelled") == 0);
}

}  // namespace
}  // namespace sallyport
