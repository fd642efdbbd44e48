#include "agent/call/ended_mcp_sessions.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

TEST_CASE("why an MCP session has ended is remembered", "[agent][session]") {
  EndedMcpSessions ended;
  CHECK(ended.Find("m1") == nullptr);
  {
    const std::string detail = "its client deleted it";
    ended.Add("m1", {"okta service deploy", "wiki", "ses_1", detail});
    ended.Add("m2", {"okta service other", "wiki", "ses_2", "expired"});
  }
  REQUIRE(ended.Find("m1") != nullptr);
  CHECK(ended.Find("m1")->principal_key == "okta service deploy");
  CHECK(ended.Find("m1")->server == "wiki");
  CHECK(ended.Find("m1")->session_id == "ses_1");
  CHECK(ended.Find("m1")->detail == "its client deleted it");
  CHECK(ended.Find("m2")->detail == "expired");
  CHECK(ended.Find("m3") == nullptr);
}

TEST_CASE("the latest ended MCP sessions are remembered, and never more than fits",
          "[agent][session]") {
  EndedMcpSessions ended;
  const std::string principal(100, 'p');
  const std::size_t fits = EndedMcpSessions::kBlocks * EndedMcpSessions::kBlockBytes / 100;
  for (int i = 0; i < 50'000; ++i) {
    const std::string n = std::to_string(i);
    ended.Add("m" + n, {principal, "wiki", "ses_" + n, "expired"});
    REQUIRE(ended.size() <= fits);
    REQUIRE(ended.Find("m" + n)->session_id == "ses_" + n);
    if (i >= 4'000) REQUIRE(ended.Find("m" + std::to_string(i - 4'000)) != nullptr);
  }
  CHECK(ended.Find("m0") == nullptr);
}

TEST_CASE("a reason longer than a block is remembered whole", "[agent][session]") {
  EndedMcpSessions ended;
  const std::string reason(2 * EndedMcpSessions::kBlockBytes, 'r');
  ended.Add("m1", {"p", "wiki", "ses_1", reason});
  ended.Add("m2", {"p", "wiki", "ses_2", "expired"});
  CHECK(ended.Find("m1")->detail == reason);
  CHECK(ended.Find("m2")->detail == "expired");
}

}  // namespace
}  // namespace sallyport::agent
