#include "agent/mcp/created_task.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_scan.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

absl::StatusOr<std::string> Of(const std::string& body) {
  auto response = ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,)" + body + "}");
  REQUIRE(response.ok());
  return CreatedTask(*response);
}

TEST_CASE("the task of a result is found by its decoded id", "[agent][mcp]") {
  CHECK(*Of(R"("result":{"task":{"taskId":"t\u0031","status":"working"}})") == "t1");
}

TEST_CASE("an answer without a task makes none", "[agent][mcp]") {
  CHECK(*Of(R"("result":{"content":[{"task":{"taskId":"x"}}]})") == "");
  CHECK(*Of(R"("error":{"code":1,"message":"m","data":{"task":{"taskId":"x"}}})") == "");
}

TEST_CASE("a task whose id is none is refused", "[agent][mcp]") {
  for (const std::string& task :
       {std::string("{}"), std::string("7"), std::string(R"({"taskId":7})"),
        std::string(R"({"taskId":""})"), R"({"taskId":")" + std::string(1025, 'x') + "\"}"}) {
    INFO(task);
    CHECK(ReasonOf(Of(R"("result":{"task":)" + task + "}").status()) ==
          types::v1::DENIAL_REASON_UPSTREAM_INVALID);
  }
}

}  // namespace
}  // namespace sallyport::agent
