#include <grpcpp/server_context.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "agent/control/approval_client.h"
#include "agent/control/call_settlements.h"
#include "agent/control/session_client.h"
#include "common/denial.h"
#include "common/grpc_status.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"
#include "sallyport/agent/v1/call_approval_service.grpc.pb.h"
#include "tests/fakes/fake_door.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

// What arrived, and the errors to answer with first.
template <class Request>
class Inbox {
 public:
  grpc::Status Take(const Request& request) {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
    if (errors_.empty()) return grpc::Status::OK;
    const grpc::Status error = errors_.front();
    errors_.erase(errors_.begin());
    return error;
  }
  void Fail(const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    errors_.push_back(status);
  }
  std::vector<Request> requests() {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<Request> requests_;
  std::vector<grpc::Status> errors_;
};

class Access final : public access::v1::AccessService::Service {
 public:
  Inbox<access::v1::OpenSessionRequest> opened;
  Inbox<access::v1::EndSessionRequest> ended;

 private:
  grpc::Status OpenSession(grpc::ServerContext*, const access::v1::OpenSessionRequest* request,
                           access::v1::OpenSessionResponse* response) override {
    response->mutable_session()->set_id("ses_1");
    return opened.Take(*request);
  }
  grpc::Status RenewSession(grpc::ServerContext*, const access::v1::RenewSessionRequest* request,
                            access::v1::RenewSessionResponse* response) override {
    if (request->token() != "newer") {
      return ToGrpcStatus(
          Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH, "another principal's token"));
    }
    response->mutable_session()->set_id(request->session_id());
    return grpc::Status::OK;
  }
  grpc::Status EndSession(grpc::ServerContext*, const access::v1::EndSessionRequest* request,
                          access::v1::EndSessionResponse*) override {
    return ended.Take(*request);
  }
};

class Approvals final : public v1::CallApprovalService::Service {
 public:
  Inbox<v1::ReserveCallRequest> reserved;
  Inbox<v1::SettleCallRequest> settled;
  Inbox<v1::WithdrawCallApprovalRequest> withdrawn;
  types::v1::DenialReason refusal = types::v1::DENIAL_REASON_UNSPECIFIED;

 private:
  grpc::Status RequestCallApproval(grpc::ServerContext*,
                                   const v1::RequestCallApprovalRequest* request,
                                   v1::RequestCallApprovalResponse* response) override {
    if (refusal != types::v1::DENIAL_REASON_UNSPECIFIED) {
      response->set_denial_reason(refusal);
    } else {
      response->mutable_approval()->set_id("apr_1");
      response->mutable_approval()->set_session_id(request->session_id());
    }
    return grpc::Status::OK;
  }
  grpc::Status ReserveCall(grpc::ServerContext*, const v1::ReserveCallRequest* request,
                           v1::ReserveCallResponse* response) override {
    response->set_denial_reason(refusal);
    return reserved.Take(*request);
  }
  grpc::Status SettleCall(grpc::ServerContext*, const v1::SettleCallRequest* request,
                          v1::SettleCallResponse*) override {
    return settled.Take(*request);
  }
  grpc::Status WithdrawCallApproval(grpc::ServerContext*,
                                    const v1::WithdrawCallApprovalRequest* request,
                                    v1::WithdrawCallApprovalResponse*) override {
    return withdrawn.Take(*request);
  }
};

struct Fixture {
  Fixture() {
    const PrivateKey key = GenerateKey();
    channel = std::make_unique<ControlPlaneChannel>(
        loop, door->address(),
        LinkIdentity{.private_key = KeyToPem(*key),
                     .certificate_chain = ca.Issue(*key, {.uri = "spiffe://sallyport/agent/a"}),
                     .ca = ca.pem()});
    loop.Every(absl::Milliseconds(1), [this] {
      if (until && until()) loop.Stop();
    });
  }

  template <class Result>
  static Task<void> Keep(Task<Result> task, std::optional<Result>* result) {
    *result = co_await std::move(task);
  }
  template <class Result>
  Result Run(Task<Result> task) {
    std::optional<Result> result;
    loop.Spawn(Keep(std::move(task), &result));
    RunUntil([&] { return result.has_value(); });
    return *std::move(result);
  }
  void RunUntil(std::function<bool()> condition) {
    until = std::move(condition);
    loop.Run();
    until = nullptr;
  }
  template <class Client>
  Task<bool> DrainOf(Client* client) {
    co_await client->Drain();
    co_return true;
  }

  TestCa ca;
  Access access;
  Approvals approvals;
  std::unique_ptr<FakeDoor> door = std::make_unique<FakeDoor>(
      ca, std::vector<grpc::Service*>{&access, &approvals}, FakeDoor::Options{});
  Loop loop;
  std::unique_ptr<ControlPlaneChannel> channel;
  std::function<bool()> until;
};

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "restarting");

TEST_CASE_METHOD(Fixture, "opening is retried under one request id", "[agent][control]") {
  SessionClient client(*channel);
  access.opened.Fail(kAway);
  access::v1::OpenSessionRequest request;
  request.set_server("wiki");
  const auto response = Run(client.Open(request));
  REQUIRE(response.ok());
  CHECK(response->session().id() == "ses_1");
  const auto requests = access.opened.requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].request_id().size() == 26);
  CHECK(requests[0].request_id() == requests[1].request_id());
}

TEST_CASE_METHOD(Fixture, "a control plane that is away is named as such", "[agent][control]") {
  door->Stop();
  SessionClient client(*channel);
  const auto opened = Run(client.Open({}, absl::Milliseconds(200)));
  CHECK(ReasonOf(opened.status()) == types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE);
  ApprovalClient approval_client(*channel);
  const auto asked = Run(approval_client.Request({}, absl::Milliseconds(200)));
  CHECK(ReasonOf(asked.status()) == types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE);
  const auto reserved = Run(approval_client.Reserve({}, absl::Milliseconds(200)));
  CHECK(ReasonOf(reserved.status()) == types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE);
}

TEST_CASE_METHOD(Fixture, "a refusal keeps its own reason", "[agent][control]") {
  SessionClient client(*channel);
  CHECK(Run(client.Renew("ses_1", "newer", "https://mcp.example/wiki/mcp"))->id() == "ses_1");
  CHECK(ReasonOf(Run(client.Renew("ses_1", "stolen", "")).status()) ==
        types::v1::DENIAL_REASON_CLIENT_MISMATCH);
  access.opened.Fail(ToGrpcStatus(Denied(types::v1::DENIAL_REASON_LOCKED, "locked")));
  CHECK(ReasonOf(Run(client.Open({})).status()) == types::v1::DENIAL_REASON_LOCKED);
}

TEST_CASE_METHOD(Fixture, "damaged sessions are told in order, each once, until they are taken",
                 "[agent][control]") {
  SessionClient client(*channel);
  access.ended.Fail(kAway);
  access.ended.Fail(grpc::Status(grpc::StatusCode::INTERNAL, "disk"));
  client.EndDamaged("ses_1");
  client.EndDamaged("ses_2");
  client.EndDamaged("ses_1");
  CHECK(client.pending_ends() == 2);
  client.Start();
  RunUntil([&] { return client.pending_ends() == 0; });
  client.EndDamaged("ses_3");
  RunUntil([&] { return client.pending_ends() == 0; });
  std::vector<std::string> told;
  for (const auto& request : access.ended.requests()) {
    told.push_back(request.session_id());
    CHECK(request.detail().find("damaged") != std::string::npos);
  }
  CHECK(told == std::vector<std::string>{"ses_1", "ses_1", "ses_1", "ses_2", "ses_3"});
  CHECK(Run(DrainOf(&client)));
}

TEST_CASE_METHOD(Fixture, "a damaged session that is refused for good is not told again",
                 "[agent][control]") {
  SessionClient client(*channel);
  access.ended.Fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such session"));
  client.EndDamaged("ses_1");
  client.EndDamaged("ses_2");
  client.Start();
  RunUntil([&] { return client.pending_ends() == 0; });
  CHECK(access.ended.requests().size() == 2);
  CHECK(Run(DrainOf(&client)));
}

TEST_CASE_METHOD(Fixture, "a damaged session waits for a control plane that comes back",
                 "[agent][control]") {
  const int port = door->port();
  door->Stop();
  SessionClient client(*channel);
  client.EndDamaged("ses_1");
  client.Start();
  RunUntil([&] { return true; });
  CHECK(client.pending_ends() == 1);
  door = std::make_unique<FakeDoor>(ca, std::vector<grpc::Service*>{&access, &approvals},
                                    FakeDoor::Options{.port = port});
  RunUntil([&] { return client.pending_ends() == 0; });
  CHECK(Run(DrainOf(&client)));
}

TEST_CASE_METHOD(Fixture, "draining waits for nobody", "[agent][control]") {
  door->Stop();
  SessionClient client(*channel);
  client.EndDamaged("ses_1");
  client.Start();
  CHECK(Run(DrainOf(&client)));
  CHECK(client.pending_ends() == 1);
}

TEST_CASE_METHOD(Fixture,
                 "approvals are asked for, reserved again under the same id, and withdrawn",
                 "[agent][control]") {
  ApprovalClient client(*channel);
  v1::RequestCallApprovalRequest request;
  request.set_session_id("ses_1");
  CHECK(Run(client.Request(request))->id() == "apr_1");

  approvals.reserved.Fail(kAway);
  v1::ReserveCallRequest reserve;
  reserve.set_call_id("call-1");
  CHECK(Run(client.Reserve(reserve)).ok());
  REQUIRE(approvals.reserved.requests().size() == 2);
  CHECK(approvals.reserved.requests()[1].call_id() == "call-1");

  approvals.withdrawn.Fail(kAway);
  client.Withdraw("apr_1", "ses_1");
  RunUntil([&] { return approvals.withdrawn.requests().size() == 2; });
  CHECK(approvals.withdrawn.requests()[1].approval_id() == "apr_1");
  // The answer is on its way: the channel ends it.
  channel.reset();
}

v1::SettleCallRequest Settled(const std::string& call_id, v1::CallOutcome outcome) {
  v1::SettleCallRequest request;
  request.set_session_id("ses_1");
  request.set_call_id(call_id);
  request.set_outcome(outcome);
  return request;
}

TEST_CASE_METHOD(Fixture, "what became of calls is told in order, each until it has been heard",
                 "[agent][control]") {
  const TempDir dir;
  auto settlements = *CallSettlements::Open(*channel, dir.path() + "/settlements");
  approvals.settled.Fail(kAway);
  settlements->Settle(Settled("call-1", v1::CALL_OUTCOME_ANSWERED));
  settlements->Settle(Settled("call-2", v1::CALL_OUTCOME_NOT_FORWARDED));
  settlements->Start();
  RunUntil([&] { return settlements->pending() == 0; });
  const auto told = approvals.settled.requests();
  REQUIRE(told.size() == 3);
  CHECK(told[1].call_id() == "call-1");
  CHECK(told[1].outcome() == v1::CALL_OUTCOME_ANSWERED);
  CHECK(told[2].call_id() == "call-2");
  CHECK(std::filesystem::is_empty(dir.path() + "/settlements"));
  // One that the control plane will not have is not told again.
  approvals.settled.Fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such call"));
  settlements->Settle(Settled("call-3", v1::CALL_OUTCOME_NOT_FORWARDED));
  RunUntil([&] { return settlements->pending() == 0; });
  CHECK(approvals.settled.requests().size() == 4);
  CHECK(std::filesystem::is_empty(dir.path() + "/settlements"));
  CHECK(Run(DrainOf(settlements.get())));
}

TEST_CASE_METHOD(Fixture, "what was not told is told by the next run", "[agent][control]") {
  const TempDir dir;
  const std::string path = dir.path() + "/settlements";
  {
    auto settlements = *CallSettlements::Open(*channel, path);
    settlements->Begin("ses_1", "call-seen");
    settlements->Settle(Settled("call-seen", v1::CALL_OUTCOME_ANSWERED));
    settlements->Begin("ses_1", "call-unseen");
    settlements->Begin("ses_1", "call-refused");
    settlements->Forget("call-refused");
  }
  std::ofstream(path + "/call-broken") << "\x01";
  auto settlements = *CallSettlements::Open(*channel, path);
  CHECK(settlements->pending() == 2);
  settlements->Start();
  RunUntil([&] { return settlements->pending() == 0; });
  std::map<std::string, v1::CallOutcome> told;
  for (const auto& request : approvals.settled.requests()) {
    CHECK(request.session_id() == "ses_1");
    told[request.call_id()] = request.outcome();
  }
  CHECK(told == std::map<std::string, v1::CallOutcome>{{"call-seen", v1::CALL_OUTCOME_ANSWERED},
                                                       {"call-unseen", v1::CALL_OUTCOME_UNKNOWN}});
  CHECK(std::filesystem::is_empty(path));
  CHECK(Run(DrainOf(settlements.get())));
}

TEST_CASE_METHOD(Fixture, "an approval that does not pass the call says why", "[agent][control]") {
  ApprovalClient client(*channel);
  approvals.refusal = types::v1::DENIAL_REASON_APPROVAL_CONSUMED;
  CHECK(Run(client.Reserve({}))->denial_reason() == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
  approvals.refusal = types::v1::DENIAL_REASON_LIMIT_EXCEEDED;
  CHECK(ReasonOf(Run(client.Request({})).status()) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
}

}  // namespace
}  // namespace sallyport::agent
