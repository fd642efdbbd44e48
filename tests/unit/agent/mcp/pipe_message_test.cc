#include "agent/mcp/pipe_message.h"

#include <catch2/catch.hpp>

#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

// A client's literals, in all types that an id or a token may have.
const char* const kLiterals[] = {
    "0",      "-3",    "9007199254740993", "123456789012345678901234567890",
    R"("7")", R"("")", R"("a\"b\\cü")",    R"("line\nbreak")"};

TEST_CASE("a request goes out under our number, and nothing else of it changes", "[agent][mcp]") {
  for (const char* literal : kLiterals) {
    const std::string before = R"( { "jsonrpc":"2.0", "id" : )";
    const std::string between =
        R"( ,"method":"tools/call","params":{"x":1e2, "_meta":{"progressToken": )";
    const std::string after =
        R"( ,"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"name":"e","arguments":{"id":7,"n":12345678901234567890}}} )";
    const ClientMessage request = FromClient(before + literal + between + literal + after);
    CHECK(ToPipe(request, 18446744073709551615u) ==
          before + "18446744073709551615" + between + "18446744073709551615" + after);
  }
}

TEST_CASE("a token that stands before the id is replaced as well", "[agent][mcp]") {
  const ClientMessage request = FromClient(
      R"({"params":{"_meta":{"progressToken":"t"}},"method":"ping","id":"i","jsonrpc":"2.0"})");
  CHECK(ToPipe(request, 5) ==
        R"({"params":{"_meta":{"progressToken":5}},"method":"ping","id":5,"jsonrpc":"2.0"})");
}

TEST_CASE("a request without a token gets none", "[agent][mcp]") {
  const ClientMessage request = FromClient(R"({"jsonrpc":"2.0","id":"i","method":"ping"})");
  CHECK(ToPipe(request, 5) == R"({"jsonrpc":"2.0","id":5,"method":"ping"})");
}

TEST_CASE("an answer gets its client's id again, and nothing else of it changes", "[agent][mcp]") {
  for (const std::string literal : kLiterals) {
    const auto answer = FromPipe(
        FromServer(R"({"result": {"id":5, "n":5e-324} ,"id": 5 ,"jsonrpc":"2.0"})"), literal, {});
    REQUIRE(answer.ok());
    CHECK(answer->bytes ==
          R"({"result": {"id":5, "n":5e-324} ,"id": )" + literal + R"( ,"jsonrpc":"2.0"})");
    CHECK(answer->id == FromServer(answer->bytes).id);
    CHECK(answer->shape == Shape::kResponse);
  }
  const auto error = FromPipe(
      FromServer(R"({"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"m"}})"), "\"i\"", {});
  REQUIRE(error.ok());
  CHECK(error->bytes == R"({"jsonrpc":"2.0","id":"i","error":{"code":-32601,"message":"m"}})");
  CHECK(error->error_code == -32601);
}

TEST_CASE("progress gets its client's token again", "[agent][mcp]") {
  for (const std::string literal : kLiterals) {
    const auto progress = FromPipe(
        FromServer(
            R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":5,"progressToken":5,"message":"5"}})"),
        "\"id\"", literal);
    REQUIRE(progress.ok());
    CHECK(
        progress->bytes ==
        R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":5,"progressToken":)" +
            literal + R"(,"message":"5"}})");
  }
}

TEST_CASE("what a subscription brings gets its client's id again", "[agent][mcp]") {
  for (const std::string literal : kLiterals) {
    const auto news = FromPipe(
        FromServer(
            R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":5,"x":5},"uri":"u"}})"),
        literal, {});
    REQUIRE(news.ok());
    CHECK(
        news->bytes ==
        R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":)" +
            literal + R"(,"x":5},"uri":"u"}})");
    // Its end says the id twice, in either order.
    const auto end = FromPipe(
        FromServer(
            R"({"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":5}},"id":5,"jsonrpc":"2.0"})"),
        literal, {});
    REQUIRE(end.ok());
    CHECK(end->bytes == R"({"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":)" +
                            literal + R"(}},"id":)" + literal + R"(,"jsonrpc":"2.0"})");
    CHECK(end->subscription_id == end->id);
  }
}

TEST_CASE("a message that says nothing of a request passes unchanged", "[agent][mcp]") {
  const std::string json =
      R"({"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":5}})";
  const auto message = FromPipe(FromServer(json), "\"i\"", "\"t\"");
  REQUIRE(message.ok());
  CHECK(message->bytes == json);
}

TEST_CASE("a child is told of a cancelled request by our number", "[agent][mcp]") {
  const UpstreamMessage cancelled = FromServer(CancelledOnPipe(18446744073709551615u));
  CHECK(cancelled.method == "notifications/cancelled");
  CHECK(cancelled.cancelled_id == "18446744073709551615");
}

}  // namespace
}  // namespace sallyport::agent
