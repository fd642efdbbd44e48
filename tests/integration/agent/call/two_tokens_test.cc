// One session, used in turn with tokens of one principal that policy treats differently.
#include <catch2/catch.hpp>

#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

using types::v1::RecordContent;

// Salaries are hidden from, and of, whoever comes with mcp.hr.
constexpr char kPolicies[] = R"(
kind: Policy
name: everybody
spec:
  principals: [{realm: okta, scopes: [mcp.use]}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo]}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
---
kind: Policy
name: hr
spec:
  principals: [{realm: okta, scopes: [mcp.hr]}]
  servers: [wiki]
  rules: [{allow: {tools: [echo]}}]
  mask: [house]
---
kind: MaskProfile
name: house
spec: {fields: [{keys: [salary]}]}
)";

Door::Bot WithHr(Door::Bot bot) {
  bot.token = bot.door->control.Token("bot", absl::Minutes(10),
                                      {{"scope", "mcp.use mcp.hr"}, {"jti", "hr-token"}});
  return bot;
}

TEST_CASE("what one token's masks hide stays hidden when another one is used meanwhile",
          "[agent][two_tokens]") {
  Door door(HoldFor(20), kPolicies);
  const Door::Bot plain = door.Connect();
  const Door::Bot hr = WithHr(plain);
  std::promise<std::string> asked;
  door.control.set_asker([&](const agent::v1::RequestCallApprovalRequest& request) {
    agent::v1::RequestCallApprovalResponse response;
    *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
    asked.set_value(request.arguments());
    return response;
  });
  auto waiting = std::async(std::launch::async, [&] {
    return hr.Post(Door::Call("delete", R"({"salary":"a lot"})", 1));
  });
  auto approval = door.control.AwaitApproval();
  REQUIRE(approval);
  CHECK(asked.get_future().get().find("a lot") == std::string::npos);
  CHECK(plain.Post(Door::Call("echo", "{}", 2)).status == 200);
  approval->set_state(types::v1::APPROVAL_STATE_APPROVED);
  door.control.PushApproval(*approval);
  CHECK(Door::Message(waiting.get()).contains("result"));
  const auto content =
      door.control.AwaitContent(types::v1::RECORD_TYPE_REQUEST,
                                [](const RecordContent& each) { return each.rpc_id() == "1"; });
  REQUIRE(content);
  CHECK(content->body().find("a lot") == std::string::npos);
  CHECK(content->body().find("REDACTED") != std::string::npos);
  // And the record names the token that made the call.
  CHECK(content->token_id() == "hr-token bot");
}

}  // namespace
}  // namespace sallyport
