#include "agent/mcp/dialect.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/mcp/json_scan.h"

namespace sallyport::agent {
namespace {

TEST_CASE("dialect echoes a served version and offers the latest for others", "[agent][mcp]") {
  CHECK(NegotiateVersion("2025-03-26") == "2025-03-26");
  CHECK(NegotiateVersion("2024-11-05") == "2025-11-25");
  CHECK(NegotiateVersion("") == "2025-11-25");
}

TEST_CASE("dialect refuses a version header that names no version served", "[agent][mcp]") {
  CHECK(IsVersionHeaderAccepted(std::nullopt));
  CHECK(IsVersionHeaderAccepted("2025-11-25"));
  CHECK(IsVersionHeaderAccepted("2025-03-26"));
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

TEST_CASE("dialect answers a modern client with the versions served", "[agent][mcp]") {
  const auto by_meta = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":"q","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})");
  REQUIRE(by_meta.ok());
  REQUIRE(ModernVersion(*by_meta, std::nullopt) == "2026-07-28");
  const auto plain = ScanClientMessage(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  REQUIRE(plain.ok());
  CHECK(ModernVersion(*plain, "2026-07-28") == "2026-07-28");
  CHECK_FALSE(ModernVersion(*plain, "2025-11-25").has_value());
  CHECK_FALSE(ModernVersion(*plain, "zzzz-zz-zz").has_value());
  CHECK_FALSE(ModernVersion(*plain, std::nullopt).has_value());
  const auto answer = nlohmann::json::parse(UnsupportedVersion(*by_meta, "2026-07-28").bytes);
  CHECK(answer["id"] == "q");
  CHECK(answer["error"]["code"] == -32022);
  CHECK(answer["error"]["data"]["requested"] == "2026-07-28");
  CHECK(answer["error"]["data"]["supported"] ==
        nlohmann::json({"2025-11-25", "2025-06-18", "2025-03-26"}));
}

}  // namespace
}  // namespace sallyport::agent
