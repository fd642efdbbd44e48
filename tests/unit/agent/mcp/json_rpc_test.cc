#include "agent/mcp/json_rpc.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/mcp/json_scan.h"

namespace sallyport::agent {
namespace {

TEST_CASE("our own messages pass the scan and keep the id", "[agent][mcp]") {
  const std::string hostile = "quote \" backslash \\ newline \n bell \x07 nul \xff";
  const auto error = ErrorResponse(R"("a\"b")", 40301, hostile, R"({"reason":"policy_denied"})");
  const auto scanned = ScanUpstreamMessage(error.bytes);
  REQUIRE(scanned.ok());
  CHECK(scanned->id == R"("a\"b")");
  CHECK(scanned->is_error);
  CHECK(scanned->body.begin == error.body.begin);
  CHECK(scanned->body.end == error.body.end);
  CHECK(nlohmann::json::parse(error.bytes)["error"]["data"]["reason"] == "policy_denied");

  const auto tool =
      nlohmann::json::parse(ToolErrorResult("7", Era::kLegacy, hostile, R"({"x":1})").bytes);
  CHECK(tool["result"]["isError"] == true);
  CHECK(tool["result"]["content"][0]["type"] == "text");
  CHECK(tool["result"]["_meta"]["x"] == 1);
  CHECK(tool["id"] == 7);

  const auto progress = ProgressNotification("0", -0.5, "waiting");
  CHECK(ScanUpstreamMessage(progress.bytes)->progress_token == "0");
  CHECK(ScanUpstreamMessage(ResultResponse("1").bytes).ok());
  CHECK(ScanUpstreamMessage(ServerNotification("notifications/tools/list_changed").bytes).ok());
  CHECK(ScanClientMessage(ErrorAnswer("1", -32601, hostile).bytes).ok());
  CHECK(ScanClientMessage(ResultAnswer("1").bytes).ok());
  CHECK(ScanClientMessage(CancelledNotification("\"x\"", "gone").bytes)->cancelled_id == "\"x\"");
}

TEST_CASE("an unknown id is written as null", "[agent][mcp]") {
  CHECK(nlohmann::json::parse(ErrorResponse("", -32700, "x").bytes)["id"].is_null());
}

}  // namespace
}  // namespace sallyport::agent
