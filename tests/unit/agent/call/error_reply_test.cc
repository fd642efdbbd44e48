#include "agent/call/error_reply.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "common/denial.h"

namespace sallyport::agent {
namespace {

using Json = nlohmann::json;

ClientMessage Request(std::string method, std::string target = "") {
  ClientMessage message;
  message.id = "7";
  message.method = std::move(method);
  message.target = std::move(target);
  return message;
}

Json Refused(const ClientMessage& request, types::v1::DenialReason reason,
             const RefusalDetails& details = {}) {
  return Json::parse(RefuseRequest(request, Denied(reason, "because"), details).bytes);
}

TEST_CASE("a refused tool call is a result that the model reads", "[agent][call]") {
  for (const auto reason :
       {types::v1::DENIAL_REASON_POLICY_DENIED, types::v1::DENIAL_REASON_CONDITION_FAILED,
        types::v1::DENIAL_REASON_APPROVAL_DENIED, types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
        types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE, types::v1::DENIAL_REASON_UPSTREAM_LOST}) {
    const Json said = Refused(Request("tools/call", "deploy"), reason);
    CHECK(said["id"] == 7);
    CHECK(said["result"]["isError"] == true);
    CHECK(said["result"]["content"][0]["text"] == "because");
    CHECK(said["result"]["_meta"]["reason"] == std::string(ReasonName(reason)));
  }
}

TEST_CASE("a refused call that asked for a task is an error, for a result would be taken for none",
          "[agent][call]") {
  ClientMessage request = Request("tools/call", "deploy");
  request.asks_for_task = true;
  const Json said = Refused(request, types::v1::DENIAL_REASON_POLICY_DENIED);
  CHECK(said["error"]["code"] == 40301);
  CHECK(said["error"]["data"]["reason"] == "policy_denied");
}

TEST_CASE("another session's task is an unknown one", "[agent][call]") {
  ClientMessage request = Request("tasks/get");
  for (const char* id : {"task-a", ""}) {
    request.task_id = id;
    const Json said =
        Refused(request, types::v1::DENIAL_REASON_CLIENT_MISMATCH, {.is_hidden = true});
    CHECK(said["error"]["code"] == -32602);
    CHECK(said["error"]["message"] == "Unknown task: " + std::string(id));
    CHECK_FALSE(said["error"].contains("data"));
  }
}

TEST_CASE("what is no tool call is refused by a JSON-RPC error with the reason", "[agent][call]") {
  const Json said = Refused(Request("resources/read", "file:///x"),
                            types::v1::DENIAL_REASON_POLICY_DENIED, {.policy = "bots"});
  CHECK(said["error"]["code"] == 40301);
  CHECK(said["error"]["data"]["reason"] == "policy_denied");
  CHECK(said["error"]["data"]["policy"] == "bots");
}

TEST_CASE("a session's state is said by its own codes, to tool calls too", "[agent][call]") {
  const ClientMessage call = Request("tools/call", "echo");
  CHECK(Refused(call, types::v1::DENIAL_REASON_SESSION_ENDED)["error"]["code"] == 40302);
  CHECK(Refused(call, types::v1::DENIAL_REASON_SESSION_PENDING)["error"]["code"] == 40303);
  CHECK(Refused(call, types::v1::DENIAL_REASON_SERVER_STARTING)["error"]["code"] == 40303);
  CHECK(Refused(call, types::v1::DENIAL_REASON_SESSION_REQUIRED)["error"]["code"] == 40304);
}

TEST_CASE("what the caller is not to know of does not exist, and says no reason", "[agent][call]") {
  const RefusalDetails hidden{.is_hidden = true, .policy = "bots"};
  const Json tool =
      Refused(Request("tools/call", "secret"), types::v1::DENIAL_REASON_POLICY_DENIED, hidden);
  CHECK(tool["error"]["code"] == -32602);
  CHECK(tool["error"]["message"] == "Unknown tool: secret");
  CHECK_FALSE(tool["error"].contains("data"));
  const Json method = Refused(Request("x/y"), types::v1::DENIAL_REASON_METHOD_UNKNOWN, hidden);
  CHECK(method["error"]["code"] == -32601);
  CHECK_FALSE(method["error"].contains("data"));
}

TEST_CASE("a completion of what is hidden is told in the words of what it names", "[agent][call]") {
  ClientMessage completion = Request("completion/complete", "hidden");
  const auto said = [&] {
    return Refused(completion, types::v1::DENIAL_REASON_POLICY_DENIED,
                   {.is_hidden = true})["error"]["message"];
  };
  CHECK(said() == "Unknown prompt: hidden");
  completion.ref_is_resource = true;
  CHECK(said() == "Unknown resource: hidden");
}

TEST_CASE("an error without a reason denies and says no more", "[agent][call]") {
  const Json said =
      Json::parse(RefuseRequest(Request("ping"), absl::InternalError("because")).bytes);
  CHECK(said["error"]["code"] == 40305);
}

TEST_CASE("a refusal of the token names the metadata, and nothing of it breaks the header",
          "[agent][call]") {
  const OwnAnswer answer =
      HttpRefusal(Denied(types::v1::DENIAL_REASON_TOKEN_INVALID, "a \"quote\"\r\nX: y"),
                  Challenge{"https://m.example/x", {}});
  CHECK(answer.status == 401);
  REQUIRE(answer.headers.size() == 1);
  CHECK(answer.headers[0].second ==
        "Bearer resource_metadata=\"https://m.example/x\", error=\"invalid_token\", "
        "error_description=\"a 'quote'''X: y\"");
}

TEST_CASE("a challenge for a token says with which scopes to come", "[agent][call]") {
  const Challenge challenge{"https://m.example/x", {"a", "b"}};
  const auto said = [&](types::v1::DenialReason reason) {
    return HttpRefusal(Denied(reason, "why"), challenge).headers[0].second;
  };
  const std::string first = R"(Bearer resource_metadata="https://m.example/x", scope="a b")";
  CHECK(said(types::v1::DENIAL_REASON_TOKEN_MISSING) == first);
  CHECK(said(types::v1::DENIAL_REASON_TOKEN_EXPIRED) ==
        first + R"(, error="invalid_token", error_description="why")");
}

TEST_CASE("two challenges for scopes are never the same text", "[agent][call]") {
  const Challenge challenge{"https://m.example/x", {"a", "b"}};
  const absl::Status why = Denied(types::v1::DENIAL_REASON_SCOPE_MISSING, "needs b");
  const OwnAnswer one = HttpRefusal(why, challenge), two = HttpRefusal(why, challenge);
  CHECK(one.status == 403);
  CHECK(one.headers[0].second.find("scope=\"a b\"") != std::string::npos);
  CHECK(one.headers[0].second != two.headers[0].second);
}

}  // namespace
}  // namespace sallyport::agent
