// What a client's message is named by, in records, in the log and before approvers, hides what its
// body hides: at each stage that a call can come to an end at.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"
#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using enum types::v1::ApprovalState;
using enum types::v1::DenialReason;
using enum types::v1::RecordType;

// It has the form of a token and is none.
const std::string kSecret =
    "ghp_"
    "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL3oR6";
const std::string kMasked = "[REDACTED:github]";

constexpr char kOpenPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: ["t-*"], resources: ["x:**"], prompts: ["*"], methods: ["own/*"]}
    - require_approval: {tools: ["ask-*"], approvers: ["okta:approvers"]}
    - deny: {tools: ["drop-*"]}
  mask: [secrets]
)";

class SecretDoor {
 public:
  explicit SecretDoor(ServerEras eras = ServerEras::kLegacy,
                      const std::string& policy = kOpenPolicy)
      : door("recording: {durability: process, spool_max_bytes: 128MiB}", policy, false, "", eras) {
  }

  // What the record of that type says that has this in its head or its detail.
  types::v1::RecordContent Await(types::v1::RecordType type, const std::string& text) {
    INFO(types::v1::RecordType_Name(type) << " with " << text);
    const auto found = door.control.AwaitContent(type, [&](const auto& content) {
      const std::string said = content.method() + " " + content.target() + " " + content.rpc_id() +
                               " " + content.detail();
      return said.find(text) != std::string::npos;
    });
    CHECK(found.has_value());
    return found.value_or(types::v1::RecordContent());
  }

  // Nobody who reads a recording, a log or an approval sees it.
  void CheckHidden() {
    for (const types::v1::Record& record : door.control.records()) {
      INFO(record.DebugString());
      CHECK(record.SerializeAsString().find(kSecret) == std::string::npos);
    }
    CHECK(door.agent->log().find(kSecret) == std::string::npos);
  }

  Door door;
};

std::string Request(const std::string& method, const std::string& params,
                    const std::string& id = "1") {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method + R"(","params":)" + params +
         "}";
}

TEST_CASE("a secret in a target is hidden in the records of a call that is answered",
          "[agent][call][shown]") {
  SecretDoor rig;
  const Door::Bot bot = rig.door.Connect();
  CHECK(bot.Post(Request("resources/read", R"({"uri":"x:)" + kSecret + R"("})")).status == 200);
  CHECK(rig.door.SawText("x:" + kSecret));  // it is the server's to read
  CHECK(rig.Await(RECORD_TYPE_REQUEST, "resources/read x:" + kMasked).body().find(kMasked) !=
        std::string::npos);
  rig.Await(RECORD_TYPE_RESULT, "resources/read x:" + kMasked);
  CHECK(bot.Post(Request("tools/call", R"({"name":"t-)" + kSecret + R"("})", "2")).status == 200);
  rig.Await(RECORD_TYPE_REQUEST, "tools/call t-" + kMasked);
  CHECK(bot.Post(Request("prompts/get", R"({"name":")" + kSecret + R"("})", "3")).status == 200);
  rig.Await(RECORD_TYPE_RESULT, "prompts/get " + kMasked);
  CHECK(bot.Post(Request("own/" + kSecret, "{}", "4")).status == 200);
  rig.Await(RECORD_TYPE_REQUEST, "own/" + kMasked);
  rig.CheckHidden();
}

TEST_CASE("a secret in an id comes back to its client and to nobody else", "[agent][call][shown]") {
  SecretDoor rig;
  const Door::Bot bot = rig.door.Connect();
  const auto answer = bot.Post(Request("resources/read", R"({"uri":"x:a"})", '"' + kSecret + '"'));
  CHECK(Door::Message(answer)["id"] == kSecret);
  CHECK(rig.Await(RECORD_TYPE_RESULT, "resources/read x:a \"" + kMasked)
            .body()
            .find("\"id\":\"" + kMasked) != std::string::npos);
  const auto refused = bot.Post(Request("tools/call", R"({"name":"drop-x"})", '"' + kSecret + '"'));
  CHECK(Door::Message(refused)["id"] == kSecret);
  rig.Await(RECORD_TYPE_DENIAL, "tools/call drop-x \"" + kMasked);
  // An answer that no request of the server's waits for.
  CHECK(bot.Post(R"({"jsonrpc":"2.0","id":")" + kSecret + R"(","result":{}})").status == 400);
  rig.Await(RECORD_TYPE_DENIAL, "\"" + kMasked + "\" no request of the server");
  rig.CheckHidden();
}

TEST_CASE("a secret in a target is hidden in the records of a call that is refused or fails",
          "[agent][call][shown]") {
  SecretDoor rig;
  const Door::Bot bot = rig.door.Connect();
  // By policy: hidden, and denied.
  const auto hidden = bot.Post(Request("resources/read", R"({"uri":"y:)" + kSecret + R"("})"));
  CHECK(Door::Message(hidden)["error"]["code"] == -32602);
  rig.Await(RECORD_TYPE_DENIAL, "resources/read y:" + kMasked);
  CHECK(bot.Post(Request("tools/call", R"({"name":"drop-)" + kSecret + R"("})", "2")).status ==
        200);
  rig.Await(RECORD_TYPE_DENIAL, "tools/call drop-" + kMasked);
  CHECK(bot.Post(Request("other/" + kSecret, "{}", "3")).status == 200);
  rig.Await(RECORD_TYPE_DENIAL, "other/" + kMasked);
  // A notification gets no answer.
  CHECK(bot.Post(R"({"jsonrpc":"2.0","method":"notifications/)" + kSecret + R"("})").status == 202);
  rig.Await(RECORD_TYPE_DENIAL, "notifications/" + kMasked);
  // The server breaks off.
  rig.door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "resources/read") return std::nullopt;
    return RawHttpServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{",
                                .closes = true};
  });
  CHECK(bot.Post(Request("resources/read", R"({"uri":"x:)" + kSecret + R"("})", "4")).status ==
        200);
  CHECK(rig.Await(RECORD_TYPE_OUTCOME, "resources/read x:" + kMasked).outcome() == "unknown");
  rig.Await(RECORD_TYPE_DENIAL, "resources/read x:" + kMasked);
  rig.CheckHidden();
}

TEST_CASE("a secret is hidden in the records of what belongs to no session",
          "[agent][call][shown]") {
  SecretDoor rig;
  rig.door.control.set_opener([&](const auto&) {
    return FakeControlPlane::Denial(DENIAL_REASON_SESSION_DENIED, "no " + kSecret);
  });
  CHECK(rig.door.Send({.token = rig.door.control.Token("bot"), .body = Door::Initialize()})
            .session_id.empty());
  rig.Await(RECORD_TYPE_DENIAL, "no " + kMasked);
  const ModernClient client(rig.door);
  client.Post({.method = "own/" + kSecret});
  rig.Await(RECORD_TYPE_DENIAL, "own/" + kMasked);
  rig.CheckHidden();
}

TEST_CASE("a secret in a target is hidden of calls of the modern era", "[agent][call][shown]") {
  SecretDoor rig(ServerEras::kModern);
  const ModernClient client(rig.door);
  CHECK(client.Post(ModernClient::Call("t-" + kSecret)).status == 200);
  rig.Await(RECORD_TYPE_REQUEST, "tools/call t-" + kMasked);
  rig.Await(RECORD_TYPE_RESULT, "tools/call t-" + kMasked);
  // The server says the URI again, where it cannot be masked.
  CHECK(Door::Message(client.Post(ModernClient::Read("x:" + kSecret))).contains("error"));
  rig.Await(RECORD_TYPE_DENIAL, "resources/read x:" + kMasked);
  CHECK(Door::Message(client.Post(ModernClient::Read("y:" + kSecret))).contains("error"));
  rig.Await(RECORD_TYPE_DENIAL, "resources/read y:" + kMasked);
  CHECK(Door::Message(client.Post(ModernClient::Call("drop-" + kSecret))).contains("result"));
  rig.Await(RECORD_TYPE_DENIAL, "tools/call drop-" + kMasked);
  rig.CheckHidden();
}

TEST_CASE("a policy that records no content still hides secrets in what names a call",
          "[agent][call][shown]") {
  SecretDoor rig(ServerEras::kLegacy, std::string(kOpenPolicy) + "  recording: {content: none}\n");
  const Door::Bot bot = rig.door.Connect();
  CHECK(bot.Post(Request("resources/read", R"({"uri":"x:)" + kSecret + R"("})")).status == 200);
  CHECK(rig.Await(RECORD_TYPE_REQUEST, "resources/read x:" + kMasked).body().empty());
  CHECK(rig.Await(RECORD_TYPE_RESULT, "resources/read x:" + kMasked).body().empty());
  rig.CheckHidden();
}

TEST_CASE("a secret in a target is hidden in the records of an approval", "[agent][call][shown]") {
  SecretDoor rig;
  const Door::Bot bot = rig.door.Connect();
  rig.door.control.set_asker([](const agent::v1::RequestCallApprovalRequest& request) {
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    return response;
  });
  HttpClient waiting(rig.door.agent->port());
  waiting.Send(
      rig.door.Bytes({.token = bot.token,
                      .session_id = bot.session_id,
                      .body = Request("tools/call", R"({"name":"ask-)" + kSecret + R"("})")}));
  auto approval = rig.door.control.AwaitApproval();
  REQUIRE(approval.has_value());
  CHECK(approval->tool() == "ask-[REDACTED:github, 40 characters]");
  CHECK(rig.Await(RECORD_TYPE_APPROVAL, "tools/call ask-" + kMasked).detail() == "asked for");
  approval->set_state(APPROVAL_STATE_APPROVED);
  rig.door.control.PushApproval(*approval);
  CHECK(waiting.Read().status == 200);
  rig.Await(RECORD_TYPE_RESULT, "tools/call ask-" + kMasked);
  rig.CheckHidden();

  // What looks the same to who approves is another call all the same.
  std::string other = kSecret;
  std::swap(other[4], other[5]);
  HttpClient second(rig.door.agent->port());
  second.Send(
      rig.door.Bytes({.token = bot.token,
                      .session_id = bot.session_id,
                      .body = Request("tools/call", R"({"name":"ask-)" + other + R"("})", "2")}));
  const auto again = rig.door.control.AwaitApproval();
  REQUIRE(again.has_value());
  CHECK(again->tool() == approval->tool());
  CHECK(again->arguments_digest() != approval->arguments_digest());
}

}  // namespace
}  // namespace sallyport
