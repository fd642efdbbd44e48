#include "agent/mcp/list_filter.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_scan.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

std::string Filtered(const std::string& bytes, ListKind kind, std::string_view denied) {
  auto message = ScanUpstreamMessage(bytes);
  REQUIRE(message.ok());
  auto filtered =
      FilterList(*std::move(message), kind,
                 [&](std::string_view name, std::string_view) { return name != denied; });
  REQUIRE(filtered.ok());
  CHECK(ScanUpstreamMessage(filtered->bytes).ok());
  return filtered->bytes;
}

TEST_CASE("list_filter takes out denied entries and leaves every other byte", "[agent][mcp]") {
  const std::string head = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[)";
  const std::string tail = R"( ] , "nextCursor":"\u0063" }})";
  const std::string a = R"( {"name":"a","x":1e5})";
  const std::string b = R"({"name":"\u0062" })";
  const std::string c = R"({"name":"c"})";
  const std::string all = head + a + " , " + b + "," + c + tail;
  CHECK(Filtered(all, ListKind::kTools, "none") == all);
  CHECK(Filtered(all, ListKind::kTools, "a") == head + " " + b + "," + c + tail);
  CHECK(Filtered(all, ListKind::kTools, "b") == head + a + "," + c + tail);
  CHECK(Filtered(all, ListKind::kTools, "c") == head + a + " , " + b + tail);
  CHECK(Filtered(head + c + tail, ListKind::kTools, "c") == head + tail);
  CHECK(Filtered(head + tail, ListKind::kTools, "c") == head + tail);
}

TEST_CASE("list_filter takes out entries without a name", "[agent][mcp]") {
  CHECK(
      Filtered(
          R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"Name":"a"},7,{"name":7},{"name":"b"}]}})",
          ListKind::kTools,
          "none") == R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"b"}]}})");
}

TEST_CASE("list_filter judges resources by uri and templates by uriTemplate", "[agent][mcp]") {
  CHECK(
      Filtered(
          R"({"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"x:1","name":"n"},{"uri":"x:2"}]}})",
          ListKind::kResources,
          "x:1") == R"({"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"x:2"}]}})");
  CHECK(Filtered(
            R"({"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"x:{a}"}]}})",
            ListKind::kResourceTemplates,
            "x:{a}") == R"({"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[]}})");
  CHECK(Filtered(R"({"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"p"}]}})",
                 ListKind::kPrompts, "p") == R"({"jsonrpc":"2.0","id":1,"result":{"prompts":[]}})");
}

TEST_CASE("list_filter lets errors pass and refuses a result without its list", "[agent][mcp]") {
  const std::string error = R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}})";
  CHECK(Filtered(error, ListKind::kTools, "a") == error);
  auto message =
      ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,"result":{"tools":{"name":"hidden"}}})");
  REQUIRE(message.ok());
  const auto filtered = FilterList(*std::move(message), ListKind::kTools,
                                   [](std::string_view, std::string_view) { return true; });
  CHECK(ReasonOf(filtered.status()) == types::v1::DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

}  // namespace
}  // namespace sallyport::agent
