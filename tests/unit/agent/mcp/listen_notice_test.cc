#include "agent/mcp/listen_notice.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_scan.h"

namespace sallyport::agent {
namespace {

std::string Told(const std::string& bytes, std::string_view why = "not \"a\"") {
  auto message = ScanUpstreamMessage(bytes);
  REQUIRE(message.ok());
  return TellLeftOut(*std::move(message), why).bytes;
}

TEST_CASE("an acknowledgement says what was left out, and keeps all that the server said",
          "[agent][mcp]") {
  const std::string head =
      R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta": {)";
  const std::string ours =
      R"("sallyport/leftOut":{"reason":"policy_denied","message":"not \"a\""})";
  CHECK(Told(head + R"("x":1e2},"notifications":{}}})") ==
        head + ours + R"(,"x":1e2},"notifications":{}}})");
  CHECK(Told(head + " }}}") == head + ours + " }}}");
}

TEST_CASE("what is no acknowledgement, or has no place for it, passes as it is", "[agent][mcp]") {
  for (const char* message :
       {R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{}}})",
        R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"})",
        R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}})",
        R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":)"
        R"({"_meta":{"sallyport/leftOut":1}}})"}) {
    CHECK(Told(message) == message);
  }
}

}  // namespace
}  // namespace sallyport::agent
