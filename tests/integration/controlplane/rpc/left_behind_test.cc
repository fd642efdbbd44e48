#include <future>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/admin/v1/approval_service.grpc.pb.h"
#include "tests/fakes/agent_process.h"
#include "tests/fakes/http_client.h"
#include "tests/fakes/raw_http_server.h"
#include "tests/integration/controlplane/rpc/agent_stream.h"

// What becomes of an agent whose stream falls further behind than the control plane remembers.
namespace sallyport::controlplane {
namespace {

using Json = nlohmann::json;

TEST_CASE("an agent that missed changes is sent away, and its next stream says what holds now",
          "[integration][rpc]") {
  Deployment deployment("", 4);
  const ClientCertificate certificate = deployment.Enroll("a", {"wiki"});
  deployment.Apply(kOpenPolicy);
  Watching behind(deployment, certificate);
  while (!behind.Next().has_resynced()) continue;
  std::vector<types::v1::Session> opened;
  for (int i = 0; i < 5; ++i) {
    opened.push_back(OpenByAgent(deployment, certificate,
                                 deployment.BotToken("bot", {{"sub", "b" + std::to_string(i)}})));
    REQUIRE(behind.Next().session().session().id() == opened.back().id());
  }

  // All five end in one transaction.
  deployment.Apply("kind: Lock\nname: all\nspec: {}\n");
  CHECK(behind.Next().update_case() == agent::v1::AgentUpdate::UPDATE_NOT_SET);
  CHECK(behind.Finish().error_code() == grpc::StatusCode::UNAVAILABLE);

  // What has ended is told with its reason, before the lock.
  Watching again(deployment, certificate);
  agent::v1::AgentUpdate update = again.Next();
  std::size_t ended = 0;
  for (; update.has_session(); update = again.Next()) {
    CHECK(update.session().session().state() == types::v1::SESSION_STATE_ENDED);
    ++ended;
  }
  CHECK(ended == opened.size());
  CHECK(SnapshotOf(update).locks_size() == 1);
  CHECK(again.Next().has_resynced());
}

constexpr char kAskingPolicy[] = R"(kind: Policy
name: bots
spec:
  principals: [{realm: corp, client_ids: [bot]}]
  servers: [wiki]
  session: {bind: principal, approval: {approvers: ["corp:approvers"], expires_after: 10m}}
  rules:
    - allow: {tools: [echo]}
    - require_approval: {tools: [deploy], approvers: ["corp:approvers"]}
)";

// What any MCP server says.
RawHttpServer::Reply Serve(const std::string& request) {
  const Json message = Json::parse(request.substr(request.find("\r\n\r\n") + 4), nullptr, false);
  if (!message.is_object() || !message.contains("id")) {
    return {.bytes = HttpReply(request.starts_with("GET ") ? 405 : 202, "text/plain", "")};
  }
  Json result = {{"content", Json::array({{{"type", "text"}, {"text", "done"}}})}};
  if (message["method"] == "initialize") {
    result = {{"protocolVersion", message["params"]["protocolVersion"]},
              {"capabilities", {{"tools", Json::object()}}},
              {"serverInfo", {{"name", "wiki"}, {"version", "1"}}}};
  }
  return {.bytes = JsonReply(
              Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
}

// The real agent in front of a server, with a control plane that remembers no change at all: each
// ends the agent's stream, so that only streams that begin anew can tell what happened.
struct Forgetful {
  Deployment deployment{"", 0};
  RawHttpServer server{Serve};
  std::optional<AgentProcess> agent;
  const std::string token = deployment.BotToken("bot");
  std::string mcp_session;

  Forgetful() {
    deployment.Apply(kAskingPolicy);
    agent.emplace(deployment.JoinString("a", {"wiki"}),
                  "servers: [{name: wiki, http: {url: \"http://127.0.0.1:" + server.port() +
                      "/mcp\"}}]\nrecording: {durability: process}\n");
  }

  HttpClient::Answer Post(const std::string& body) {
    HttpClient client(agent->port());
    client.Send("POST /wiki/mcp HTTP/1.1\r\nHost: " + agent->authority() +
                "\r\nAccept: application/json, text/event-stream\r\nAuthorization: Bearer " +
                token + (mcp_session.empty() ? "" : "\r\nMcp-Session-Id: " + mcp_session) +
                "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.Read();
  }
  HttpClient::Answer Initialize() {
    mcp_session.clear();
    HttpClient::Answer answer = Post(
        R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
        R"("capabilities":{},"clientInfo":{"name":"t","version":"1"}}})");
    mcp_session = answer.session_id;
    return answer;
  }
  HttpClient::Answer Call(const std::string& tool) {
    return Post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + tool +
                R"(","arguments":{}}})");
  }
  // The one that waits for a person, once there is one.
  std::string AwaitPending() {
    const auto stub = admin::v1::ApprovalService::NewStub(deployment.People());
    const auto context = Deployment::Context(deployment.PersonToken("ann", {"approvers"}));
    const auto reader = stub->WatchApprovals(context.get(), admin::v1::WatchApprovalsRequest());
    admin::v1::WatchApprovalsResponse response;
    std::string pending;
    while (pending.empty() && reader->Read(&response)) {
      if (response.approval().state() == types::v1::APPROVAL_STATE_PENDING)
        pending = response.approval().id();
    }
    context->TryCancel();
    reader->Finish();
    return pending;
  }
  void Approve(const std::string& id) {
    admin::v1::ApproveApprovalRequest request;
    request.set_id(id);
    admin::v1::ApproveApprovalResponse response;
    const auto context = Deployment::Context(deployment.PersonToken("ann", {"approvers"}));
    const grpc::Status status = admin::v1::ApprovalService::NewStub(deployment.People())
                                    ->ApproveApproval(context.get(), request, &response);
    INFO(status.error_message());
    REQUIRE(status.ok());
  }
  void Deny(const std::string& id) {
    admin::v1::DenyApprovalRequest request;
    request.set_id(id);
    request.set_reason("not today");
    admin::v1::DenyApprovalResponse response;
    const auto context = Deployment::Context(deployment.PersonToken("ann", {"approvers"}));
    REQUIRE(admin::v1::ApprovalService::NewStub(deployment.People())
                ->DenyApproval(context.get(), request, &response)
                .ok());
  }
};

TEST_CASE("what an agent's stream could not tell it learns from the next one",
          "[integration][rpc]") {
  Forgetful place;
  REQUIRE(place.agent->port() != 0);

  // A session that is approved.
  auto initialized = std::async(std::launch::async, [&] { return place.Initialize(); });
  place.Approve(place.AwaitPending());
  if (initialized.get().session_id.empty()) REQUIRE(place.Initialize().session_id != "");
  CHECK(place.Call("echo").body.find("done") != std::string::npos);

  // Calls that are approved and denied.
  auto approved = std::async(std::launch::async, [&] { return place.Call("deploy"); });
  place.Approve(place.AwaitPending());
  CHECK(approved.get().body.find("done") != std::string::npos);
  auto denied = std::async(std::launch::async, [&] { return place.Call("deploy"); });
  place.Deny(place.AwaitPending());
  CHECK(denied.get().body.find("approval_denied") != std::string::npos);

  // A lock, and with it the session's end.
  const std::size_t logged = place.agent->log().size();
  place.deployment.Apply("kind: Lock\nname: all\nspec: {}\n");
  REQUIRE(place.agent->AwaitLog("begin anew", logged));
  REQUIRE(place.agent->AwaitLog("\"active_sessions\":0", logged));
  const std::size_t seen = place.server.requests().size();
  const HttpClient::Answer after = place.Call("echo");
  CHECK(after.status == 404);
  CHECK(after.body.find("session_ended") != std::string::npos);
  CHECK(place.Initialize().body.find("locked") != std::string::npos);
  const auto requests = place.server.requests();
  CHECK(std::none_of(requests.begin() + static_cast<std::ptrdiff_t>(seen), requests.end(),
                     [](const std::string& request) { return request.starts_with("POST"); }));
}

}  // namespace
}  // namespace sallyport::controlplane
