#include "agent/mcp/dialect.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/mcp/json_rpc.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

using nlohmann::json;

TEST_CASE("dialect echoes a served version and offers the latest for others", "[agent][mcp]") {
  CHECK(NegotiateVersion("2025-03-26") == "2025-03-26");
  CHECK(NegotiateVersion("2024-11-05") == "2024-11-05");
  CHECK(NegotiateVersion("2024-10-07") == "2025-11-25");
  CHECK(NegotiateVersion("2026-07-28") == "2025-11-25");
  CHECK(NegotiateVersion("") == "2025-11-25");
}

TEST_CASE("dialect refuses a version header that names no version of the legacy era",
          "[agent][mcp]") {
  CHECK(IsVersionHeaderAccepted(std::nullopt));
  CHECK(IsVersionHeaderAccepted("2025-11-25"));
  CHECK(IsVersionHeaderAccepted("2025-03-26"));
  CHECK(IsVersionHeaderAccepted("2024-11-05"));
  CHECK_FALSE(IsVersionHeaderAccepted(""));
  CHECK_FALSE(IsVersionHeaderAccepted("2025-11-25, 2025-06-18"));
  CHECK_FALSE(IsVersionHeaderAccepted("1999-01-01"));
  CHECK_FALSE(IsVersionHeaderAccepted("2026-07-28"));
}

TEST_CASE("dialect primes the streams of clients that know an event without data", "[agent][mcp]") {
  CHECK(CanBePrimed("2025-11-25"));
  CHECK_FALSE(CanBePrimed("2025-06-18"));
  CHECK_FALSE(CanBePrimed("2025-03-26"));
  CHECK_FALSE(CanBePrimed(""));
}

TEST_CASE("dialect names the version in a header where the revision has that header",
          "[agent][mcp]") {
  CHECK_FALSE(HasVersionHeader("2024-11-05"));
  CHECK_FALSE(HasVersionHeader("2025-03-26"));
  CHECK(HasVersionHeader("2025-06-18"));
  CHECK(HasVersionHeader("2025-11-25"));
  CHECK_FALSE(HasVersionHeader(""));
}

TEST_CASE("dialect knows batches in one revision alone", "[agent][mcp]") {
  CHECK(HasBatches("2025-03-26"));
  CHECK_FALSE(HasBatches("2024-11-05"));
  CHECK_FALSE(HasBatches("2025-06-18"));
  CHECK_FALSE(HasBatches(""));
  const auto agrees = [](const std::string& body) {
    const auto answer = ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,)" + body + "}");
    REQUIRE(answer.ok());
    return AgreesOnBatches(*answer);
  };
  CHECK(agrees(R"("result":{"protocolVersion":"2025-03-26"})"));
  CHECK_FALSE(agrees(R"("result":{"protocolVersion":"2025-11-25"})"));
  CHECK_FALSE(agrees(R"("result":{"protocolVersion":7})"));
  CHECK_FALSE(agrees(R"("result":{})"));
  CHECK_FALSE(agrees(R"("error":{"code":1,"message":"2025-03-26"})"));
}

TEST_CASE("dialect tells an era by the version header where a message says none", "[agent][mcp]") {
  const ClientMessage list = FromClient(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  CHECK(IsModernByHeader(list, "2026-07-28"));
  CHECK(IsModernByHeader(list, "2027-01-01"));
  for (const char* header : {"2025-11-25", "2026-07-27", "2026-07-2", "2026-07-288", "2026/07/28",
                             "zzzz-zz-zz", "", "2026-07-28, 2025-11-25"}) {
    INFO(header);
    CHECK_FALSE(IsModernByHeader(list, header));
  }
  CHECK_FALSE(IsModernByHeader(list, std::nullopt));
  // An initialize is of the legacy era by what it is.
  const ClientMessage initialize = FromClient(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}})");
  CHECK_FALSE(IsModernByHeader(initialize, "2026-07-28"));
}

TEST_CASE("dialect tells a client of an unserved version what is served of its era",
          "[agent][mcp]") {
  const ClientMessage message = FromClient(ModernRequest("server/discover"));
  const auto by_version = json::parse(UnsupportedVersion(message, "2027-01-01").bytes);
  CHECK(by_version["id"] == 1);
  CHECK(by_version["error"]["code"] == -32022);
  CHECK(by_version["error"]["data"] ==
        json::parse(R"({"supported":["2026-07-28"],"requested":"2027-01-01"})"));
  const auto by_era = json::parse(UnsupportedEra(message).bytes);
  CHECK(by_era["error"]["code"] == -32022);
  CHECK(
      by_era["error"]["data"] ==
      json::parse(
          R"({"supported":["2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"2026-07-28"})"));
}

TEST_CASE("dialect takes a server for modern by the versions it names and by nothing else",
          "[agent][mcp]") {
  CHECK(IsModernServer(Result(R"({"supportedVersions":["2025-11-25","2026-07-28"]})")));
  for (const char* result :
       {R"({"supportedVersions":["2025-11-25"]})", R"({"supportedVersions":[]})",
        R"({"supportedVersions":"2026-07-28"})", R"({"supportedVersions":[["2026-07-28"]]})",
        R"({"protocolVersion":"2026-07-28"})", "{}"}) {
    INFO(result);
    CHECK_FALSE(IsModernServer(Result(result)));
  }
  CHECK_FALSE(IsModernServer(FromServer(
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x","supportedVersions":["2026-07-28"]}})")));
}

TEST_CASE("a request of our own to a modern server is one of its era", "[agent][mcp]") {
  const ClientMessage discover = DiscoverRequest("\"d\"");
  CHECK(discover.era == Era::kModern);
  CHECK(discover.method == "server/discover");
  CHECK(discover.id == "\"d\"");
  CHECK(discover.modern.version == "2026-07-28");
  CHECK_FALSE(discover.modern.capabilities.empty());
  CHECK(json::parse(ModernMeta()).size() == 3);
}

TEST_CASE("a listener is told that there is no more, under its own id", "[agent][mcp]") {
  const ClientMessage listen =
      FromClient(R"({"jsonrpc":"2.0","id":"l-1","method":"subscriptions/listen","params":{)" +
                 std::string(kMeta) + "}}");
  CHECK(IsListening(listen));
  CHECK_FALSE(IsListening(ModernCall("echo")));
  CHECK_FALSE(
      IsListening(FromClient(R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"})")));
  const UpstreamMessage ended = ListenEnded(listen.id);
  CHECK(
      json::parse(ended.bytes) ==
      json::parse(
          R"({"jsonrpc":"2.0","id":"l-1","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"l-1"}}})"));
  CHECK(ended.shape == Shape::kResponse);
}

TEST_CASE("some errors of the modern era have an HTTP status, none of the legacy one",
          "[agent][mcp]") {
  const auto status = [](Era era, int code) {
    return HttpStatusOf(era, ErrorResponse("1", code, "x"));
  };
  CHECK(status(Era::kModern, -32020) == 400);
  CHECK(status(Era::kModern, -32021) == 400);
  CHECK(status(Era::kModern, -32022) == 400);
  CHECK(status(Era::kModern, -32601) == 404);
  for (const int code : {-32602, -32600, -32603, 40301, 0}) {
    CHECK(status(Era::kModern, code) == 200);
  }
  for (const int code : {-32020, -32022, -32601}) CHECK(status(Era::kLegacy, code) == 200);
  CHECK(HttpStatusOf(Era::kModern, ResultResponse("1")) == 200);
  // A server's own error, too.
  CHECK(HttpStatusOf(
            Era::kModern,
            FromServer(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}})")) ==
        404);
}

}  // namespace
}  // namespace sallyport::agent
