// What limits make of calls in which the server asks its client for something (modern era): of each
// later round, and of the task that may come of it.
#include <catch2/catch.hpp>
#include <memory>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using Ask = ModernClient::Ask;

constexpr char kConfig[] = "recording: {durability: process, spool_max_bytes: 128MiB}";

std::string PolicyWith(const std::string& limits) {
  return R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  session: {limits: [)" +
         limits + R"(]}
  rules:
    - allow: {tools: [echo], methods: ["tasks/*"]}
    - allow: {server_requests: [elicitation]}
)";
}

// Echo, of which its server wants to know something first.
Ask Echo(int n, const std::string& state = "") {
  Ask ask = ModernClient::Call("echo", {{"n", n}});
  ask.capabilities = {{"elicitation", Json::object()},
                      {"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};
  if (state.empty()) return ask;
  ask.params["requestState"] = state;
  ask.params["inputResponses"] = {{"q", {{"action", "accept"}}}};
  return ask;
}
Ask Get(const std::string& task) {
  Ask ask = Echo(0);
  ask.method = "tasks/get";
  ask.params = {{"taskId", task}};
  ask.name_field = task;
  return ask;
}

Json ResultIn(const HttpClient::Answer& answer) {
  return Door::Message(answer).value("result", Json::object());
}

// In front of a server that asks in each first round, and does in each later one what a test says.
struct Asking {
  explicit Asking(const std::string& limits)
      : door(kConfig, PolicyWith(limits), false, "", ServerEras::kModern), client(door) {
    Then([](const Json&) -> std::optional<RawHttpServer::Reply> { return std::nullopt; });
  }
  void Then(Door::Awkward later) {
    door.set_awkward([later](const Json& message) -> std::optional<RawHttpServer::Reply> {
      const bool is_first = message.value("method", "") == "tools/call" &&
                            !message["params"].contains("inputResponses");
      if (!is_first) return later(message);
      return ResultOf(
          message,
          {{"resultType", "input_required"},
           {"requestState", "s"},
           {"inputRequests",
            {{"q", {{"method", "elicitation/create"}, {"params", {{"message", "sure?"}}}}}}}});
    });
  }
  // The state that its client comes again with.
  std::string Begin(int n) const {
    const Json result = ResultIn(client.Post(Echo(n)));
    CHECK(result.value("resultType", "") == "input_required");
    return result.value("requestState", "");
  }
  Door door;
  ModernClient client;
};

TEST_CASE("a later round at work is one of the calls at a time, and one refused may come again",
          "[agent][limits]") {
  Asking stage("{per: session, concurrent: 1}");
  // Nobody is at work while a client is asked.
  const std::string one = stage.Begin(1);
  const std::string two = stage.Begin(2);
  std::promise<void> done;
  stage.Then(
      [until = done.get_future().share()](const Json&) -> std::optional<RawHttpServer::Reply> {
        until.wait();
        return std::nullopt;
      });
  const auto busy = stage.client.Send(Echo(1, one));
  REQUIRE(stage.door.AwaitRequests("tools/call", 3));
  const auto refused = stage.client.Post(Echo(2, two));
  CHECK(ReasonOf(refused) == "limit_exceeded");
  CHECK(refused.body.find("come again with the same requestState") != std::string::npos);
  CHECK(ReasonOf(stage.client.Post(Echo(3))) == "limit_exceeded");
  CHECK(stage.door.Seen("tools/call") == 3);
  done.set_value();
  CHECK(ResultIn(busy->Read()).contains("content"));
  CHECK(ResultIn(stage.client.Post(Echo(2, two))).contains("content"));
  // Used now, both of them.
  CHECK(Door::Message(stage.client.Post(Echo(2, two)))["error"]["code"] == -32602);
  CHECK(stage.door.Seen("tools/call") == 4);
}

TEST_CASE("a task that comes of a later round keeps its place until it is over",
          "[agent][limits]") {
  Asking stage("{per: session, concurrent: 1}");
  const std::string state = stage.Begin(1);
  auto status = std::make_shared<std::atomic<const char*>>("working");
  stage.Then([status](const Json& message) -> std::optional<RawHttpServer::Reply> {
    const bool is_get = message.value("method", "") == "tasks/get";
    return ResultOf(message, {{"resultType", is_get ? "complete" : "task"},
                              {"taskId", "t-1"},
                              {"status", status->load()}});
  });
  CHECK(ResultIn(stage.client.Post(Echo(1, state)))["taskId"] == "t-1");
  CHECK(ReasonOf(stage.client.Post(Echo(2))) == "limit_exceeded");
  CHECK(ResultIn(stage.client.Post(Get("t-1")))["status"] == "working");
  CHECK(ReasonOf(stage.client.Post(Echo(2))) == "limit_exceeded");
  CHECK(stage.door.Seen("tools/call") == 2);
  *status = "completed";
  CHECK(ResultIn(stage.client.Post(Get("t-1")))["status"] == "completed");
  stage.Begin(2);
}

TEST_CASE("all rounds of a call are one call of those within a time", "[agent][limits]") {
  Asking stage("{per: session, calls: 2, within: 1h}, {per: session, concurrent: 4}");
  for (int n : {1, 2}) {
    const std::string state = stage.Begin(n);
    CHECK(ResultIn(stage.client.Post(Echo(n, state))).contains("content"));
  }
  CHECK(ReasonOf(stage.client.Post(Echo(3))) == "limit_exceeded");
  CHECK(stage.door.Seen("tools/call") == 4);
}

}  // namespace
}  // namespace sallyport
