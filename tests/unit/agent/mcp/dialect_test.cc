#include "agent/mcp/dialect.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/mcp/json_scan.h"

namespace sallyport::agent {
namespace {

TEST_CASE("dialect echoes a served version and offers the latest for others", "[agent][mcp]") {
  CHECK(NegotiateVersion("2025-03-26") == "2025-03-26");
  CHECK(NegotiateVersion("2024-11-05") == "2024-11-05");
  CHECK(NegotiateVersion("2024-10-07") == "2025-11-25");
  CHECK(NegotiateVersion("") == "2025-11-25");
}

TEST_CASE("dialect refuses a version header that names no version served", "[agent][mcp]") {
  CHECK(IsVersionHeaderAccepted(std::nullopt));
  CHECK(IsVersionHeaderAccepted("2025-11-25"));
  CHECK(IsVersionHeaderAccepted("2025-03-26"));
  CHECK(IsVersionHeaderAccepted("2024-11-05"));
  CHECK_FALSE(IsVersionHeaderAccepted(""));
  CHECK_FALSE(IsVersionHeaderAccepted("2025-11-25, 2025-06-18"));
  CHECK_FALSE(IsVersionHeaderAccepted("1999-01-01"));
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

TEST_CASE("dialect takes a message for one of the modern era by its header", "[agent][mcp]") {
  const auto plain = ScanClientMessage(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  REQUIRE(plain.ok());
  CHECK(IsModernByHeader(*plain, "2026-07-28"));
  CHECK(IsModernByHeader(*plain, "2099-01-01"));
  CHECK_FALSE(IsModernByHeader(*plain, "2025-11-25"));
  CHECK_FALSE(IsModernByHeader(*plain, "zzzz-zz-zz"));
  CHECK_FALSE(IsModernByHeader(*plain, std::nullopt));
}

TEST_CASE("dialect tells a modern client before a legacy server what is served", "[agent][mcp]") {
  const auto modern = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":"q","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})");
  REQUIRE(modern.ok());
  CHECK(modern->era == Era::kModern);
  const auto answer = nlohmann::json::parse(UnsupportedEra(*modern).bytes);
  CHECK(answer["id"] == "q");
  CHECK(answer["error"]["code"] == -32022);
  CHECK(answer["error"]["data"]["requested"] == "2026-07-28");
  CHECK(answer["error"]["data"]["supported"] ==
        nlohmann::json({"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}));
}

}  // namespace
}  // namespace sallyport::agent
