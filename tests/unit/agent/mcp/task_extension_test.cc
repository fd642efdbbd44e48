#include "agent/mcp/task_extension.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/denial.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

using Json = nlohmann::json;

TaskState SomeTask(TaskStatus status, std::string body = "") {
  return {.id = "t1",
          .status = status,
          .message = "waits \"here\"",
          .created_at = absl::FromUnixSeconds(1),
          .updated_at = absl::FromUnixSeconds(2),
          .ttl = absl::Minutes(1),
          .poll_interval = absl::Seconds(3),
          .body = std::move(body)};
}

TEST_CASE("a task says what it is, as the extension spells it", "[agent][mcp]") {
  const Json created = Json::parse(TaskCreated("7", SomeTask(TaskStatus::kWorking)).bytes);
  CHECK(created["id"] == 7);
  CHECK(created["result"] == Json{{"resultType", "task"},
                                  {"taskId", "t1"},
                                  {"status", "working"},
                                  {"statusMessage", "waits \"here\""},
                                  {"createdAt", "1970-01-01T00:00:01Z"},
                                  {"lastUpdatedAt", "1970-01-01T00:00:02Z"},
                                  {"ttlMs", 60000},
                                  {"pollIntervalMs", 3000}});
  const auto [status, word, member] =
      GENERATE(std::tuple(TaskStatus::kInputRequired, "input_required", "inputRequests"),
               std::tuple(TaskStatus::kCompleted, "completed", "result"),
               std::tuple(TaskStatus::kFailed, "failed", "error"));
  const Json got = Json::parse(TaskGot("\"x\"", SomeTask(status, R"({"a":1})")).bytes);
  CHECK(got["id"] == "x");
  CHECK(got["result"]["resultType"] == "complete");
  CHECK(got["result"]["status"] == word);
  CHECK(got["result"][member] == Json{{"a", 1}});
  const Json news = Json::parse(TaskNews("9", SomeTask(status, R"({"a":1})")).bytes);
  CHECK(news["method"] == "notifications/tasks");
  CHECK(news["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 9);
  CHECK(news["params"][member] == Json{{"a", 1}});
  CHECK_FALSE(news["params"].contains("resultType"));
}

TEST_CASE("a cancelled task has nothing but its status", "[agent][mcp]") {
  const Json got = Json::parse(TaskGot("1", SomeTask(TaskStatus::kCancelled)).bytes);
  CHECK(got["result"]["status"] == "cancelled");
  for (const char* member : {"result", "error", "inputRequests"}) {
    CHECK_FALSE(got["result"].contains(member));
  }
}

TEST_CASE("a response becomes the outcome of the task", "[agent][mcp]") {
  const auto done = ReadTaskOutcome(R"({"id":1,"result":{ "isError":true }})");
  REQUIRE(done.ok());
  CHECK(done->status == TaskStatus::kCompleted);
  CHECK(done->body == R"({ "isError":true })");
  const auto failed = ReadTaskOutcome(R"({"id":1,"error":{"code":-1,"message":"m"}})");
  REQUIRE(failed.ok());
  CHECK(failed->status == TaskStatus::kFailed);
  CHECK(failed->body == R"({"code":-1,"message":"m"})");
  const auto asking = ReadTaskOutcome(
      R"({"id":1,"result":{"resultType":"input_required","requestState":"s","inputRequests":{"q":{"method":"m"}}}})");
  REQUIRE(asking.ok());
  CHECK(asking->status == TaskStatus::kInputRequired);
  CHECK(asking->body == R"({"q":{"method":"m"}})");
  CHECK(asking->keys == std::vector<std::string>{R"("q")"});
  CHECK(asking->request_state == R"("s")");
  for (const char* none : {R"({"id":1,"result":{"resultType":"task","taskId":"x"}})",
                           R"({"id":1,"result":7})", R"({"id":1})", "nothing"}) {
    CHECK(ReasonOf(ReadTaskOutcome(none).status()) == types::v1::DENIAL_REASON_UPSTREAM_INVALID);
  }
}

TEST_CASE("a retry is the call with what it was asked for, and nothing of an earlier round",
          "[agent][mcp]") {
  const std::string params = R"("name":"echo","inputResponses":{"old":1},"requestState":"old")";
  const auto retry = RetryOf(FromClient(ModernRequest("tools/call", params)),
                             {{R"("a")", R"({"action":"accept"})"}, {R"("b")", "2"}}, R"("s")");
  REQUIRE(retry.ok());
  CHECK(retry->target == "echo");
  const Json sent = Json::parse(retry->bytes)["params"];
  CHECK(sent["inputResponses"] == Json::parse(R"({"a":{"action":"accept"},"b":2})"));
  CHECK(sent["requestState"] == "s");
  const auto stateless = RetryOf(ModernCall("echo"), {}, "");
  REQUIRE(stateless.ok());
  CHECK_FALSE(Json::parse(stateless->bytes)["params"].contains("requestState"));
}

TEST_CASE("an update without responses is none", "[agent][mcp]") {
  const auto read = ReadInputResponses(FromClient(
      ModernRequest("tasks/update", R"("taskId":"t","inputResponses":{"q":{"action":"accept"}})")));
  REQUIRE(read.ok());
  CHECK(*read == std::map<std::string, std::string>{{R"("q")", R"({"action":"accept"})"}});
  CHECK(ReasonOf(ReadInputResponses(FromClient(ModernRequest("tasks/update", R"("taskId":"t")")))
                     .status()) == types::v1::DENIAL_REASON_MESSAGE_INVALID);
}

TEST_CASE("a client takes tasks if this very request says so", "[agent][mcp]") {
  const auto with = [](const std::string& capabilities) {
    return FromClient(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":)" +
        capabilities + "}}}");
  };
  CHECK(with(R"({"extensions":{"io.modelcontextprotocol/tasks":{}}})").modern.takes_tasks);
  CHECK_FALSE(with(R"({"extensions":{"io.modelcontextprotocol/Tasks":{}}})").modern.takes_tasks);
  CHECK_FALSE(with(R"({"io.modelcontextprotocol/tasks":{}})").modern.takes_tasks);
  CHECK_FALSE(with("{}").modern.takes_tasks);
}

TEST_CASE("a listen to tasks and nothing else is told from others", "[agent][mcp]") {
  const auto listened = [](const std::string& notifications) {
    return TasksListenedTo(
        FromClient(ModernRequest("subscriptions/listen", R"("notifications":)" + notifications)));
  };
  CHECK(listened(R"({"taskIds":["a","b"]})") == std::vector<std::string>{"a", "b"});
  CHECK(listened(R"({"taskIds":["a"],"toolsListChanged":false})") == std::vector<std::string>{"a"});
  for (const char* other :
       {R"({"taskIds":["a"],"toolsListChanged":true})", R"({"taskIds":["a",1]})",
        R"({"taskIds":["a"],"resourceSubscriptions":["file:///x"]})", "{}"}) {
    INFO(other);
    CHECK(listened(other).empty());
  }
  const Json told = Json::parse(TasksAcknowledged("5", {"a", "b"}).bytes);
  CHECK(told["method"] == "notifications/subscriptions/acknowledged");
  CHECK(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 5);
  CHECK(told["params"]["notifications"] == Json{{"taskIds", {"a", "b"}}});
}

}  // namespace
}  // namespace sallyport::agent
