// Calls that do not reach their server as they are, or a server that does not know them.
#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

std::string Text(const HttpClient::Answer& answer) { return Door::Message(answer).dump(); }

TEST_CASE("a call with an argument that no header can repeat is refused, and not sent",
          "[agent][bridge]") {
  Door door(ServerEras::kModern);
  const auto bot = door.Connect();
  const auto call = [&](std::size_t bytes) {
    return bot.Post(Door::Call("echo", "{\"region\":\"" + std::string(bytes, 'x') + "\"}"));
  };
  const auto refused = call(20000);
  CHECK(ReasonOf(refused) == "message_too_large");
  CHECK(Text(refused).find("the header mcp-param-region") != std::string::npos);
  CHECK(door.Seen("tools/call") == 0);
  CHECK(ReasonOf(call(2)).empty());
  CHECK(door.Seen("tools/call") == 1);
}

TEST_CASE("a client is told that its server has ended the MCP session, and then by 404",
          "[agent][session]") {
  Door door;
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return RawHttpServer::Reply{.bytes = HttpReply(404, "text/plain", "")};
  });
  const auto bot = door.Connect();
  const auto lost = bot.Post(Door::Call("echo"));
  CHECK(ReasonOf(lost) == "upstream_lost");
  CHECK(Text(lost).find("HTTP 404: it has ended the MCP session") != std::string::npos);
  CHECK(bot.Post(Door::Call("echo")).status == 404);
  CHECK(door.Seen("tools/call") == 1);
  CHECK(door.Seen("initialize") == 1);
}

}  // namespace
}  // namespace sallyport
