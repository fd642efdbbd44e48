// Pages of other origins, and connections on which nobody shows a token.
#include <catch2/catch.hpp>
#include <deque>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

const char kPage[] = "Origin: https://app.example\r\n";
const char kConfig[] =
    "recording: {durability: process, spool_max_bytes: 128MiB}\n"
    "allowed_origins: [\"https://app.example\"]";

// All that is answered until the agent closes.
std::string AnswerTo(const Door& door, Door::Request request) {
  request.more_fields += "Connection: close\r\n";
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(door.agent->port()));
  std::string all;
  const std::string bytes = door.Bytes(request);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())) {
    char piece[4096];
    for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;) all.append(piece, n);
  }
  close(fd);
  return all;
}

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool MayBeRead(const std::string& answer) {
  return Holds(answer, "\r\nAccess-Control-Allow-Origin: https://app.example\r\n") &&
         Holds(answer, "\r\nAccess-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\n") &&
         Holds(answer, "\r\nVary: Origin\r\n");
}

TEST_CASE("a page of an allowed origin may ask what it may send, and read the answers",
          "[agent][call]") {
  Door door(kConfig);
  const std::string asked = AnswerTo(
      door, {.method = "OPTIONS",
             .more_fields = std::string(kPage) +
                            "Access-Control-Request-Method: POST\r\n"
                            "Access-Control-Request-Headers: authorization,content-type\r\n"});
  CHECK(asked.starts_with("HTTP/1.1 204 "));
  CHECK(asked.find("Content-Length") == std::string::npos);
  CHECK(MayBeRead(asked));
  CHECK(Holds(asked, "\r\nAccess-Control-Allow-Methods: GET, POST, DELETE\r\n"));
  CHECK(Holds(asked, "\r\nAccess-Control-Allow-Headers: Authorization, *\r\n"));

  const std::string token = door.control.Token("bot");
  const std::string begun =
      AnswerTo(door, {.token = token, .body = Door::Initialize(), .more_fields = kPage});
  CHECK(begun.starts_with("HTTP/1.1 200 "));
  CHECK(MayBeRead(begun));
  const std::string nobody = AnswerTo(door, {.body = Door::Initialize(), .more_fields = kPage});
  CHECK(nobody.starts_with("HTTP/1.1 401 "));
  CHECK(MayBeRead(nobody));
  const Door::Bot bot = door.Connect();
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})",
                    message["id"]);
  });
  const std::string stream = AnswerTo(door, {.token = bot.token,
                                             .session_id = bot.session_id,
                                             .body = Door::Call("echo"),
                                             .more_fields = kPage});
  CHECK(Holds(stream, "text/event-stream"));
  CHECK(MayBeRead(stream));
}

TEST_CASE("nobody else is told that a page may read an answer", "[agent][call]") {
  Door door(kConfig);
  const std::string ask = "Access-Control-Request-Method: POST\r\n";
  const std::string foreign = AnswerTo(
      door, {.method = "OPTIONS", .more_fields = "Origin: https://evil.example\r\n" + ask});
  CHECK(foreign.starts_with("HTTP/1.1 403 "));
  CHECK_FALSE(Holds(foreign, "Access-Control"));
  const std::string no_page = AnswerTo(door, {.method = "OPTIONS", .more_fields = ask});
  CHECK(no_page.starts_with("HTTP/1.1 405 "));
  CHECK_FALSE(Holds(no_page, "Access-Control"));
  const std::string plain =
      AnswerTo(door, {.token = door.control.Token("bot"), .body = Door::Initialize()});
  CHECK(plain.starts_with("HTTP/1.1 200 "));
  CHECK_FALSE(Holds(plain, "Access-Control"));
}

TEST_CASE("who has shown a token keeps its connection when others of its address say nothing",
          "[agent][call]") {
  Door door;
  const Door::Bot bot = door.Connect();
  const Door::Request ping{.token = bot.token,
                           .session_id = bot.session_id,
                           .body = R"({"jsonrpc":"2.0","id":2,"method":"ping"})"};
  HttpClient known(door.agent->port());
  known.Send(door.Bytes(ping));
  REQUIRE(known.Read().status == 200);
  std::deque<HttpClient> silent;
  for (int i = 0; i < 65; ++i) silent.emplace_back(door.agent->port());
  CHECK(silent.front().AwaitClose());
  known.Send(door.Bytes(ping));
  CHECK(known.Read().status == 200);
}

}  // namespace
}  // namespace sallyport
