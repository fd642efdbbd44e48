// Several tokens of one client in one session: what one of them may not do takes nothing from the
// others.
#include <catch2/catch.hpp>
#include <future>

#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

constexpr char kPing[] = R"({"jsonrpc":"2.0","id":9,"method":"ping"})";

constexpr char kPolicies[] = R"(
kind: Policy
name: users
spec:
  principals: [{realm: okta, scopes: [mcp.use]}]
  servers: [wiki]
  rules: [{allow: {tools: [echo]}}, {require_approval: {tools: [delete], approvers: ["okta:approvers"]}}]
---
kind: Policy
name: readers
spec:
  principals: [{realm: okta, scopes: [mcp.read]}]
  servers: [wiki]
  rules: [{require_approval: {tools: [export], approvers: ["okta:approvers"]}}]
)";

std::string TokenFor(const Door& door, const std::string& scope) {
  return door.control.Token("bot", absl::Minutes(10), {{"scope", scope}});
}

RawHttpServer::Reply Tools(const Json& message) {
  return ResultOf(message,
                  {{"tools", Json::array({{{"name", "delete"}, {"description", "deletes"}},
                                          {{"name", "export"}, {"description", "exports"}}})}});
}

// What the agent has asked approvals with, by tool.
class Asked {
 public:
  explicit Asked(Door& door) {
    door.control.set_asker([this](const agent::v1::RequestCallApprovalRequest& request) {
      std::lock_guard lock(mutex_);
      asked_.push_back(request);
      agent::v1::RequestCallApprovalResponse response;
      *response.mutable_approval() = FakeControlPlane::PendingApproval(request);
      return response;
    });
  }
  // What the approvers of the latest one are told that the tool does. Empty: nothing.
  std::string Description() {
    std::lock_guard lock(mutex_);
    if (asked_.empty() || asked_.back().tool_definition().empty()) return "";
    return Json::parse(asked_.back().tool_definition())["description"];
  }

 private:
  std::mutex mutex_;
  std::vector<agent::v1::RequestCallApprovalRequest> asked_;
};

TEST_CASE("a token that is refused does not narrow the look at the tools of another's call",
          "[agent][pins]") {
  Door door(HoldFor(1), kPolicies);
  Asked asked(door);
  const Door::Bot bot = door.Connect();
  std::promise<void> go_on;
  door.set_awkward([may_go_on = go_on.get_future().share()](
                       const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    may_go_on.wait_for(std::chrono::seconds(20));
    return Tools(message);
  });
  auto call = std::async(std::launch::async, [&] { return bot.Post(Door::Call("delete")); });
  const bool is_looking = door.AwaitRequests("tools/list", 1);
  Door::Bot other = bot;
  other.token = TokenFor(door, "mcp.other");
  const int status = other.Post(kPing).status;
  go_on.set_value();
  CHECK(is_looking);
  CHECK(status == 403);
  call.get();
  CHECK(asked.Description() == "deletes");
  CHECK(door.control.AwaitReport("delete"));
}

TEST_CASE("what a look for one token has passed over is looked at for another", "[agent][pins]") {
  Door door(HoldFor(1), kPolicies);
  Asked asked(door);
  door.control.set_opener([&](const access::v1::OpenSessionRequest&) {
    types::v1::Session session = door.control.ActiveSession("wiki", "bot");
    session.mutable_principal()->add_scopes("mcp.read");
    return door.control.Active(session);
  });
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/list") return std::nullopt;
    return Tools(message);
  });
  const Door::Bot user = door.Connect();
  Door::Bot reader = user;
  reader.token = TokenFor(door, "mcp.read");
  user.Post(Door::Call("delete"));
  CHECK(asked.Description() == "deletes");
  reader.Post(Door::Call("export"));
  CHECK(asked.Description() == "exports");
  user.Post(Door::Call("delete", R"({"n":1})"));
  CHECK(asked.Description() == "deletes");
}

TEST_CASE("a token that needs a session of its own is told how to come to one", "[agent][modern]") {
  const ServerEras eras = GENERATE(ServerEras::kLegacy, ServerEras::kModern);
  Door door(HoldFor(1), kPolicies, false, "", eras);
  const std::string reader = TokenFor(door, "mcp.read");
  HttpClient::Answer refused;
  if (eras == ServerEras::kLegacy) {
    Door::Bot bot = door.Connect();
    bot.token = reader;
    refused = bot.Post(Door::Call("export"));
    CHECK(refused.body.find("DELETE") != std::string::npos);
  } else {
    const ModernClient client(door);
    CHECK(Door::Message(client.Post(ModernClient::Call("echo"))).contains("result"));
    refused = ModernClient::WithToken(door, reader).Post(ModernClient::Call("export"));
    CHECK(refused.body.find("DELETE") == std::string::npos);
    CHECK(refused.body.find("asked for 10m") != std::string::npos);
    CHECK(refused.body.find("sallyport sessions end ses_") != std::string::npos);
  }
  CHECK(refused.body.find("no right in common") != std::string::npos);
  CHECK(door.Seen("tools/call") == (eras == ServerEras::kLegacy ? 0 : 1));
}

}  // namespace
}  // namespace sallyport
