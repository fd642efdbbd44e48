#include "agent/mcp/capabilities.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_scan.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

std::string Narrowed(const std::string& capabilities, const std::string& version,
                     const ClientTerms& terms) {
  auto message = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":")" + version +
      R"(","capabilities":)" + capabilities + R"(,"clientInfo":{}}})");
  REQUIRE(message.ok());
  auto narrowed = NarrowInitialize(*std::move(message), terms);
  REQUIRE(narrowed.ok());
  return narrowed->protocol_version.text() + " " +
         narrowed->bytes.substr(narrowed->capabilities.begin, narrowed->capabilities.size());
}

std::string NarrowedResult(const std::string& capabilities, const ServerTerms& terms) {
  auto message = ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,"result":{"capabilities":)" +
                                     capabilities + R"(,"protocolVersion":"2025-06-18"}})");
  REQUIRE(message.ok());
  std::string version;
  auto narrowed = NarrowInitializeResult(*std::move(message), terms, version);
  REQUIRE(narrowed.ok());
  CHECK(version == "2025-06-18");
  const std::size_t begin = narrowed->bytes.find("capabilities\":") + 14;
  return narrowed->bytes.substr(begin, narrowed->bytes.find(",\"protocolVersion") - begin);
}

TEST_CASE("a server is told only of what policy lets it ask of the client", "[agent][mcp]") {
  const std::string all =
      R"({"sampling":{},"elicitation":{"url":{}},"roots":{"listChanged":true},"tasks":{},"x":1})";
  CHECK(Narrowed(all, "2025-11-25", {}) == R"(2025-11-25 {"x":1})");
  CHECK(Narrowed(all, "2025-11-25", {.sampling = true}) ==
        R"(2025-11-25 {"sampling":{},"tasks":{},"x":1})");
  CHECK(Narrowed(all, "2025-11-25", {.sampling = true, .elicitation = true, .roots = true}) ==
        "2025-11-25 " + all);
  CHECK(Narrowed("{}", "2025-03-26", {}) == "2025-03-26 {}");
}

TEST_CASE("a server may ask for tasks of what it may ask for at all", "[agent][mcp]") {
  const std::string tasks =
      R"({"tasks":{"list":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}},"x":1}})";
  CHECK(Narrowed(tasks, "2025-11-25", {.sampling = true, .elicitation = true}) ==
        "2025-11-25 " + tasks);
  CHECK(Narrowed(tasks, "2025-11-25", {.elicitation = true}) ==
        R"(2025-11-25 {"tasks":{"list":{},"requests":{"elicitation":{"create":{}}},"x":1}})");
  CHECK(Narrowed(tasks, "2025-11-25", {.roots = true}) == "2025-11-25 {}");
}

TEST_CASE("a server is asked for a version that is served", "[agent][mcp]") {
  CHECK(Narrowed("{}", "2024-11-05", {}) == "2024-11-05 {}");
  CHECK(Narrowed(R"({"roots":{}})", "2030-01-01", {}) == "2025-11-25 {}");
}

TEST_CASE("a client is told only of what it may use", "[agent][mcp]") {
  const std::string all =
      R"({"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{},"completions":{},"logging":{},"tasks":{"list":{}},"experimental":{"y":{}}})";
  CHECK(NarrowedResult(all, {}) == R"({"experimental":{"y":{}}})");
  CHECK(
      NarrowedResult(all, {.tools = true,
                           .resources = true,
                           .prompts = true,
                           .completions = true,
                           .logging = true}) ==
      R"({"tools":{"listChanged":true},"resources":{"listChanged":true},"prompts":{},"completions":{},"logging":{},"experimental":{"y":{}}})");
  CHECK(NarrowedResult(all, {.resources = true}) ==
        R"({"resources":{"listChanged":true},"experimental":{"y":{}}})");
  CHECK(NarrowedResult(R"({"resources":{"subscribe":true}})", {.resources = true}) ==
        R"({"resources":{}})");
  CHECK(NarrowedResult(R"({"tools":{}})", {.tools = true}) == R"({"tools":{}})");
  CHECK(NarrowedResult(all, {.resources = true, .subscriptions = true}) ==
        R"({"resources":{"subscribe":true,"listChanged":true},"experimental":{"y":{}}})");
  const std::string tasks =
      R"({"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}})";
  CHECK(NarrowedResult(tasks, {.tools = true}) == R"({"tools":{}})");
  CHECK(NarrowedResult(tasks, {.tools = true, .tasks = true}) ==
        R"({"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}})");
  CHECK(NarrowedResult(tasks, {.tools = true, .tasks = true, .task_list = true}) ==
        R"({"tools":{},"tasks":{"list":{},"requests":{"tools":{"call":{}}}}})");
  CHECK(NarrowedResult(tasks,
                       {.tools = true, .tasks = true, .task_list = true, .task_cancel = true}) ==
        tasks);
}

TEST_CASE("a server that answers in a version we do not serve is refused", "[agent][mcp]") {
  std::string version;
  auto message = ScanUpstreamMessage(
      R"({"jsonrpc":"2.0","id":1,"result":{"capabilities":{},"protocolVersion":"2024-10-07"}})");
  REQUIRE(message.ok());
  CHECK(ReasonOf(NarrowInitializeResult(*std::move(message), {}, version).status()) ==
        types::v1::DenialReason::DENIAL_REASON_VERSION_UNSUPPORTED);
  message =
      ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}})");
  REQUIRE(message.ok());
  CHECK(ReasonOf(NarrowInitializeResult(*std::move(message), {}, version).status()) ==
        types::v1::DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

TEST_CASE("a server has tasks if its capabilities say so", "[agent][mcp]") {
  const auto has_tasks = [](const std::string& answer) {
    auto message = ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,)" + answer + "}");
    REQUIRE(message.ok());
    return HasTasks(*message);
  };
  CHECK(has_tasks(R"("result":{"capabilities":{"tasks":{}}})"));
  for (const char* none :
       {R"("result":{"capabilities":{"tools":{},"Tasks":{}}})", R"("result":{"tasks":{}})",
        R"("result":{"capabilities":{"tasks":null}})",
        R"("error":{"code":1,"message":"","data":{"capabilities":{"tasks":{}}}})"}) {
    INFO(none);
    CHECK_FALSE(has_tasks(none));
  }
}

}  // namespace
}  // namespace sallyport::agent
