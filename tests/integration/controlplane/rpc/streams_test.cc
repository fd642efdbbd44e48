#include "absl/synchronization/mutex.h"
#include "common/denial.h"
#include "common/strings.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"
#include "sallyport/admin/v1/approval_service.grpc.pb.h"
#include "sallyport/admin/v1/session_service.grpc.pb.h"
#include "tests/fakes/raw_http_server.h"
#include "tests/integration/controlplane/rpc/agent_stream.h"

namespace sallyport::controlplane {
namespace {

constexpr char kPolicy[] = R"(kind: Policy
name: bots
spec:
  principals: [{realm: corp, client_ids: [bot]}]
  servers: [wiki]
  session: {open: request, bind: principal, max_duration: 15m, approval: {approvers: ["corp:approvers"], expires_after: 10m}}
  rules: [{allow: {tools: ["*"]}}]
)";

access::v1::OpenSessionResponse OpenWiki(Deployment& deployment, const std::string& token) {
  access::v1::OpenSessionRequest request;
  request.set_request_id("0123456789abcdef");
  request.set_server("wiki");
  request.set_reason("to read");
  access::v1::OpenSessionResponse response;
  const auto status = access::v1::AccessService::NewStub(deployment.People())
                          ->OpenSession(Deployment::Context(token).get(), request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  REQUIRE(response.session().state() == types::v1::SESSION_STATE_PENDING);
  return response;
}

grpc::Status Approve(Deployment& deployment, const std::string& id, const std::string& token) {
  admin::v1::ApproveApprovalRequest request;
  request.set_id(id);
  admin::v1::ApproveApprovalResponse response;
  return admin::v1::ApprovalService::NewStub(deployment.People())
      ->ApproveApproval(Deployment::Context(token).get(), request, &response);
}

TEST_CASE("an agent is sent a snapshot, then each change as it commits", "[integration][rpc]") {
  Deployment deployment;
  Watching agent(deployment, deployment.Enroll("a", {"wiki"}));
  const agent::v1::Snapshot first = SnapshotOf(agent.Next());
  CHECK(first.agent() == "a");
  CHECK(first.policies_size() == 0);
  CHECK(first.issuers_size() == 2);
  CHECK(agent.Next().has_resynced());

  deployment.Apply(kPolicy);
  const agent::v1::Snapshot second = SnapshotOf(agent.Next());
  CHECK(second.policies_size() == 1);
  CHECK(second.version() > first.version());
}

TEST_CASE("a second stream of the same agent ends the first", "[integration][rpc]") {
  Deployment deployment;
  const ClientCertificate certificate = deployment.Enroll("a", {"wiki"});
  Watching first(deployment, certificate);
  REQUIRE(first.Next().has_snapshot());
  REQUIRE(first.Next().has_resynced());
  Watching second(deployment, certificate);
  REQUIRE(second.Next().has_snapshot());
  CHECK_FALSE(first.Next().has_snapshot());
  CHECK(first.Finish().error_code() == grpc::StatusCode::ABORTED);
  REQUIRE(second.Next().has_resynced());
}

TEST_CASE("two processes with one agent's key are seen, and agents list says so",
          "[integration][rpc]") {
  Deployment deployment;
  const ClientCertificate certificate = deployment.Enroll("a", {"wiki"});
  const auto connect = [&](const std::string& instance) {
    Watching stream(deployment, certificate, instance);
    REQUIRE(stream.Next().has_snapshot());
    admin::v1::ListAgentsResponse response;
    REQUIRE(admin::v1::AgentService::NewStub(deployment.AdminSocket())
                ->ListAgents(Deployment::Context().get(), admin::v1::ListAgentsRequest(), &response)
                .ok());
    return response.items(0).has_copy_seen_at();
  };
  CHECK_FALSE(connect("one"));
  CHECK_FALSE(connect("one"));
  CHECK_FALSE(connect("other"));
  CHECK(connect("one"));
  Watching unreadable(deployment, certificate, std::string(65, 'x'));
  CHECK(unreadable.Next().update_case() == agent::v1::AgentUpdate::UPDATE_NOT_SET);
  CHECK(unreadable.Finish().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_CASE("a beat of the agent is said back on its stream", "[integration][rpc]") {
  Deployment deployment;
  Watching agent(deployment, deployment.Enroll("a", {"wiki"}));
  REQUIRE(agent.Next().has_snapshot());
  CHECK(agent.IsSaidBack(7));
  CHECK(agent.IsSaidBack(8));
}

TEST_CASE("a ban is told on the agent's stream, ends it, and lets nothing of the agent in",
          "[integration][rpc]") {
  Deployment deployment;
  const ClientCertificate certificate = deployment.Enroll("a", {"wiki"});
  deployment.Apply(kOpenPolicy);
  Watching agent(deployment, certificate);
  while (!agent.Next().has_resynced()) continue;
  const types::v1::Session opened =
      OpenByAgent(deployment, certificate, deployment.BotToken("bot"));
  REQUIRE(opened.state() == types::v1::SESSION_STATE_ACTIVE);
  REQUIRE(agent.Next().session().session().id() == opened.id());

  admin::v1::BanAgentRequest ban;
  ban.set_name("a");
  admin::v1::BanAgentResponse banned;
  REQUIRE(admin::v1::AgentService::NewStub(deployment.AdminSocket())
              ->BanAgent(Deployment::Context().get(), ban, &banned)
              .ok());
  const agent::v1::AgentUpdate end = agent.Next();
  CHECK(end.session().session().id() == opened.id());
  CHECK(end.session().session().state() == types::v1::SESSION_STATE_ENDED);
  CHECK(agent.Next().update_case() == agent::v1::AgentUpdate::UPDATE_NOT_SET);
  CHECK(agent.Finish().error_code() == grpc::StatusCode::PERMISSION_DENIED);
  Watching again(deployment, certificate);
  CHECK(again.Next().update_case() == agent::v1::AgentUpdate::UPDATE_NOT_SET);
  CHECK(again.Finish().error_code() == grpc::StatusCode::PERMISSION_DENIED);
}

TEST_CASE("who ends a session hears whether its agent has confirmed it", "[integration][rpc]") {
  Deployment deployment;
  const ClientCertificate certificate = deployment.Enroll("a", {"wiki"});
  deployment.Apply(kOpenPolicy);
  Watching agent(deployment, certificate);
  while (!agent.Next().has_resynced()) continue;
  admin::v1::EndSessionRequest end;
  end.set_id(OpenByAgent(deployment, certificate, deployment.BotToken("bot")).id());
  REQUIRE(agent.Next().session().session().id() == end.id());
  const auto ended = [&] {
    admin::v1::EndSessionResponse response;
    REQUIRE(admin::v1::SessionService::NewStub(deployment.AdminSocket())
                ->EndSession(Deployment::Context().get(), end, &response)
                .ok());
    return response;
  };
  CHECK(ended().away_agent().connected());
  agent::v1::BeatRequest beat;
  for (int i = 0; i < 1001; ++i) beat.add_ended_sessions(end.id());
  CHECK(agent.Beat(beat) == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(ended().has_away_agent());
  beat.mutable_ended_sessions()->DeleteSubrange(0, 1000);
  CHECK(agent.Beat(beat) == grpc::StatusCode::OK);
  CHECK_FALSE(ended().has_away_agent());
}

TEST_CASE("a certificate from before the agent's latest enrollment opens nothing",
          "[integration][rpc]") {
  Deployment deployment;
  const ClientCertificate first = deployment.Enroll("a", {"wiki"});
  deployment.clock().StepForward(2);
  const ClientCertificate second = deployment.Enroll("a", {"wiki"});
  Watching old(deployment, first);
  CHECK_FALSE(old.Next().has_snapshot());
  CHECK(old.Finish().error_code() == grpc::StatusCode::UNAUTHENTICATED);
  Watching present(deployment, second);
  CHECK(present.Next().has_snapshot());
}

TEST_CASE("a request is seen by its approver, decided, and pushed to the caller and the agent",
          "[integration][rpc]") {
  Deployment deployment;
  const ClientCertificate certificate = deployment.Enroll("a", {"wiki"});
  deployment.Apply(kPolicy);
  const std::string bot = deployment.BotToken("bot");
  const std::string approver = deployment.PersonToken("ann", {"approvers"});

  const auto approvals = admin::v1::ApprovalService::NewStub(deployment.People());
  const auto approvals_context = Deployment::Context(approver);
  const auto watch_approvals =
      approvals->WatchApprovals(approvals_context.get(), admin::v1::WatchApprovalsRequest());

  const auto opened = OpenWiki(deployment, bot);
  admin::v1::WatchApprovalsResponse seen;
  REQUIRE(watch_approvals->Read(&seen));
  CHECK(seen.approval().id() == opened.session().approval_id());
  CHECK(seen.approval().state() == types::v1::APPROVAL_STATE_PENDING);

  access::v1::WatchSessionRequest watch;
  watch.set_session_id(opened.session().id());
  const auto access = access::v1::AccessService::NewStub(deployment.People());
  const auto session_context = Deployment::Context(bot);
  const auto watch_session = access->WatchSession(session_context.get(), watch);
  access::v1::WatchSessionResponse session;
  REQUIRE(watch_session->Read(&session));
  CHECK(session.session().state() == types::v1::SESSION_STATE_PENDING);

  // Nobody decides for himself, and no bot decides at all.
  CHECK(Approve(deployment, seen.approval().id(), bot).error_code() ==
        grpc::StatusCode::UNAUTHENTICATED);
  const grpc::Status stranger =
      Approve(deployment, seen.approval().id(), deployment.PersonToken("eve", {}));
  CHECK_FALSE(stranger.ok());
  REQUIRE(Approve(deployment, seen.approval().id(), approver).ok());

  REQUIRE(watch_session->Read(&session));
  CHECK(session.session().state() == types::v1::SESSION_STATE_ACTIVE);

  admin::v1::EndSessionRequest end;
  end.set_id(opened.session().id());
  admin::v1::EndSessionResponse ended;
  REQUIRE(admin::v1::SessionService::NewStub(deployment.AdminSocket())
              ->EndSession(Deployment::Context().get(), end, &ended)
              .ok());
  CHECK(ended.lock() == "end-" + opened.session().id());
  REQUIRE(watch_session->Read(&session));
  CHECK(session.session().state() == types::v1::SESSION_STATE_ENDED);
  CHECK_FALSE(watch_session->Read(&session));
  CHECK(watch_session->Finish().ok());
  approvals_context->TryCancel();
  watch_approvals->Finish();
}

TEST_CASE("a stream ends with the token that opened it", "[integration][rpc]") {
  Deployment deployment;
  const std::string token = deployment.PersonToken("ann", {"approvers"}, absl::Seconds(2));
  const auto context = Deployment::Context(token);
  const auto stub = admin::v1::ApprovalService::NewStub(deployment.People());
  const auto reader = stub->WatchApprovals(context.get(), admin::v1::WatchApprovalsRequest());
  admin::v1::WatchApprovalsResponse response;
  CHECK_FALSE(reader->Read(&response));
  const absl::Status status = FromGrpcStatus(reader->Finish());
  CHECK(absl::IsUnauthenticated(status));
  CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_TOKEN_EXPIRED);
}

TEST_CASE("draining ends streams and refuses newcomers", "[integration][rpc]") {
  Deployment deployment;
  Watching agent(deployment, deployment.Enroll("a", {"wiki"}));
  REQUIRE(agent.Next().has_snapshot());
  REQUIRE(agent.Next().has_resynced());
  deployment.plane().Drain();
  CHECK_FALSE(agent.Next().has_snapshot());
  CHECK(agent.Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  admin::v1::ListAgentsResponse response;
  CHECK(admin::v1::AgentService::NewStub(deployment.AdminSocket())
            ->ListAgents(Deployment::Context().get(), admin::v1::ListAgentsRequest(), &response)
            .error_code() == grpc::StatusCode::UNAVAILABLE);
}

// A receiver of webhooks that fails the first time.
class Receiver {
 public:
  RawHttpServer::Reply Take(const std::string& request) {
    const absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
    return {.bytes = HttpReply(requests_.size() == 1 ? 503 : 204, "text/plain", ""),
            .closes = true};
  }
  std::string AwaitSecond() {
    const absl::MutexLock lock(&mutex_);
    const auto has_two = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return requests_.size() >= 2;
    };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&has_two), absl::Seconds(60)));
    CHECK(BodyOf(requests_[0]) == BodyOf(requests_[1]));
    return requests_[1];
  }
  static std::string BodyOf(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
};

std::string HeaderOf(const std::string& request, const std::string& name) {
  const std::size_t at = request.find("\r\n" + name + ": ");
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + 2 + name.size() + 2;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

TEST_CASE("approvers are told by a signed webhook, again until it is taken", "[integration][rpc]") {
  constexpr char kSecret[] = "0123456789abcdef0123456789abcdef";
  Receiver receiver;
  RawHttpServer server([&](const std::string& request) { return receiver.Take(request); });
  const TempDir secrets;
  REQUIRE(WriteFileAtomically(secrets / "hook", absl::StrCat(kSecret, "\n")).ok());
  Deployment deployment(absl::StrCat(
      "notify: [{name: hook, webhook: \"http://127.0.0.1:", server.port(),
      "/hook\", secret_file: ", secrets / "hook", ", approvers: [\"corp:approvers\"]}]\n"));
  deployment.Enroll("a", {"wiki"});
  deployment.Apply(kPolicy);
  const auto opened = OpenWiki(deployment, deployment.BotToken("bot"));

  const std::string request = receiver.AwaitSecond();
  const std::string body = Receiver::BodyOf(request);
  const auto notice = nlohmann::json::parse(body);
  CHECK(notice["type"] == "approval.pending");
  CHECK(notice["approval"]["id"] == opened.session().approval_id());
  CHECK(notice["approval"]["reason"] == "to read");

  const std::string signature = HeaderOf(request, "Sallyport-Signature");
  REQUIRE(signature.starts_with("t="));
  const std::string t = signature.substr(2, signature.find(',') - 2);
  const std::string expected = HmacSignature(t + "." + body, kSecret);
  CHECK(signature == absl::StrCat("t=", t, ",v1=", ToHex(expected)));
}

}  // namespace
}  // namespace sallyport::controlplane
