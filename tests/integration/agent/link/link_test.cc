#include <grpcpp/server_context.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "agent/link/awaitable_rpc.h"
#include "agent/link/channel.h"
#include "common/denial.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"
#include "tests/fakes/fake_door.h"

namespace sallyport::agent {
namespace {

using Rpc = v1::SnapshotService::StubInterface::async_interface;
using Stream = ServerStream<v1::SnapshotService, v1::WatchSnapshotRequest, v1::AgentUpdate>;

// Answers as the test says.
class Service final : public v1::SnapshotService::Service {
 public:
  std::function<grpc::Status(grpc::ServerContext*, v1::RefreshKeysResponse*)> on_refresh;
  std::function<grpc::Status(grpc::ServerContext*, grpc::ServerWriter<v1::AgentUpdate>*)> on_watch;

 private:
  grpc::Status RefreshKeys(grpc::ServerContext* context, const v1::RefreshKeysRequest*,
                           v1::RefreshKeysResponse* response) override {
    return on_refresh(context, response);
  }
  grpc::Status WatchSnapshot(grpc::ServerContext* context, const v1::WatchSnapshotRequest*,
                             grpc::ServerWriter<v1::AgentUpdate>* writer) override {
    return on_watch(context, writer);
  }
};

LinkIdentity IdentityOf(const TestCa& ca, const std::string& uri = "spiffe://sallyport/agent/a") {
  const PrivateKey key = GenerateKey();
  return {.private_key = KeyToPem(*key),
          .certificate_chain = ca.Issue(*key, {.uri = uri}),
          .ca = ca.pem()};
}

std::string PeerOf(grpc::ServerContext* context) {
  const auto peer = context->auth_context();
  const auto names = peer->FindPropertyValues("peer_spiffe_id");
  return names.empty() ? "" : std::string(names.front().data(), names.front().size());
}

void WaitUntilCancelled(grpc::ServerContext* context) {
  absl::Notification never;
  while (!context->IsCancelled()) never.WaitForNotificationWithTimeout(absl::Milliseconds(5));
}

Task<void> Refresh(ControlPlaneChannel* channel, absl::Duration timeout,
                   absl::StatusOr<v1::RefreshKeysResponse>* got) {
  *got = co_await CallIdempotent<v1::SnapshotService>(*channel, &Rpc::RefreshKeys,
                                                      v1::RefreshKeysRequest(), timeout);
  channel->loop().Stop();
}

absl::StatusOr<v1::RefreshKeysResponse> RunRefresh(Loop& loop, ControlPlaneChannel& channel,
                                                   absl::Duration timeout) {
  absl::StatusOr<v1::RefreshKeysResponse> got = absl::UnknownError("not called");
  loop.Spawn(Refresh(&channel, timeout, &got));
  loop.Run();
  return got;
}

TEST_CASE("a call goes over mutual TLS and comes back on the loop", "[agent][link]") {
  const TestCa ca;
  Service service;
  std::string peer;
  service.on_refresh = [&](grpc::ServerContext* context, v1::RefreshKeysResponse* response) {
    peer = PeerOf(context);
    response->set_found(true);
    return grpc::Status::OK;
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  const auto response = RunRefresh(loop, channel, absl::Seconds(10));
  REQUIRE(response.ok());
  CHECK(response->found());
  CHECK(peer == "spiffe://sallyport/agent/a");
}

TEST_CASE("an error comes with its denial reason", "[agent][link]") {
  const TestCa ca;
  Service service;
  service.on_refresh = [](auto*, auto*) {
    return ToGrpcStatus(Denied(types::v1::DENIAL_REASON_LOCKED, "the agent is locked"));
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  const auto response = RunRefresh(loop, channel, absl::Seconds(10));
  CHECK(response.status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(ReasonOf(response.status()) == types::v1::DENIAL_REASON_LOCKED);
  CHECK(response.status().message() == "the agent is locked");
}

TEST_CASE("an idempotent call is tried again after kUnavailable, within its time",
          "[agent][link]") {
  const TestCa ca;
  Service service;
  int calls = 0;
  service.on_refresh = [&](auto*, auto*) {
    return ++calls < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "later") : grpc::Status::OK;
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  CHECK(RunRefresh(loop, channel, absl::Seconds(10)).ok());
  CHECK(calls == 3);
}

TEST_CASE("a call that nobody answers ends by its deadline", "[agent][link]") {
  const TestCa ca;
  Service service;
  service.on_refresh = [](grpc::ServerContext* context, auto*) {
    WaitUntilCancelled(context);
    return grpc::Status::CANCELLED;
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  CHECK(RunRefresh(loop, channel, absl::Milliseconds(100)).status().code() ==
        absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("a server of another CA is not spoken to", "[agent][link]") {
  const TestCa ca;
  const TestCa other;
  Service service;
  std::atomic<int> calls = 0;
  service.on_refresh = [&](auto*, auto*) {
    ++calls;
    return grpc::Status::OK;
  };
  FakeDoor door(other, {&service}, {.asks_for_certificate = false});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  CHECK_FALSE(RunRefresh(loop, channel, absl::Milliseconds(500)).ok());
  CHECK(calls == 0);
}

TEST_CASE("a server of our CA with another name is not spoken to", "[agent][link]") {
  const TestCa ca;
  Service service;
  std::atomic<int> calls = 0;
  service.on_refresh = [&](auto*, auto*) {
    ++calls;
    return grpc::Status::OK;
  };
  FakeDoor door(ca, {&service}, {.name = "sallyport.example.com", .asks_for_certificate = false});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  CHECK_FALSE(RunRefresh(loop, channel, absl::Milliseconds(500)).ok());
  CHECK(calls == 0);
}

TEST_CASE("after a rotation new calls show the new certificate", "[agent][link]") {
  const TestCa ca;
  Service service;
  std::vector<std::string> peers;
  service.on_refresh = [&](grpc::ServerContext* context, auto*) {
    peers.push_back(PeerOf(context));
    return grpc::Status::OK;
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca, "spiffe://sallyport/agent/old"));
  CHECK(RunRefresh(loop, channel, absl::Seconds(10)).ok());
  channel.Rotate(IdentityOf(ca, "spiffe://sallyport/agent/new"));
  CHECK(RunRefresh(loop, channel, absl::Seconds(10)).ok());
  CHECK(peers ==
        std::vector<std::string>{"spiffe://sallyport/agent/old", "spiffe://sallyport/agent/new"});
}

v1::AgentUpdate Numbered(std::uint64_t n) {
  v1::AgentUpdate update;
  update.mutable_session()->mutable_session()->set_calls(n);
  return update;
}

Task<void> ReadAll(Stream* stream, std::vector<std::uint64_t>* got, absl::Status* end, Loop* loop,
                   absl::Duration timeout) {
  while (true) {
    absl::StatusOr<v1::AgentUpdate> update = co_await stream->Next(timeout);
    if (!update.ok()) {
      *end = update.status();
      break;
    }
    got->push_back(update->session().session().calls());
  }
  loop->Stop();
}

TEST_CASE("a stream is read in order to its end", "[agent][link]") {
  const TestCa ca;
  Service service;
  service.on_watch = [](auto*, grpc::ServerWriter<v1::AgentUpdate>* writer) {
    for (std::uint64_t n = 0; n < 100; ++n) writer->Write(Numbered(n));
    return ToGrpcStatus(Denied(types::v1::DENIAL_REASON_LOCKED, "enough"));
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  Stream stream(channel, &Rpc::WatchSnapshot, v1::WatchSnapshotRequest());
  std::vector<std::uint64_t> got;
  absl::Status end;
  loop.Spawn(ReadAll(&stream, &got, &end, &loop, absl::Seconds(10)));
  loop.Run();
  REQUIRE(got.size() == 100);
  CHECK(got.front() == 0);
  CHECK(got.back() == 99);
  CHECK(ReasonOf(end) == types::v1::DENIAL_REASON_LOCKED);
}

TEST_CASE("a stream that is silent for too long is given up, and its server hears of it",
          "[agent][link]") {
  const TestCa ca;
  Service service;
  absl::Notification cancelled;
  service.on_watch = [&](grpc::ServerContext* context,
                         grpc::ServerWriter<v1::AgentUpdate>* writer) {
    writer->Write(Numbered(1));
    WaitUntilCancelled(context);
    cancelled.Notify();
    return grpc::Status::CANCELLED;
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
  Stream stream(channel, &Rpc::WatchSnapshot, v1::WatchSnapshotRequest());
  std::vector<std::uint64_t> got;
  absl::Status end;
  loop.Spawn(ReadAll(&stream, &got, &end, &loop, absl::Milliseconds(300)));
  loop.Run();
  CHECK(got.size() == 1);
  CHECK(end.code() == absl::StatusCode::kDeadlineExceeded);
  cancelled.WaitForNotification();
}

TEST_CASE("a stream that nobody reads is ended by shutting the channel", "[agent][link]") {
  const TestCa ca;
  Service service;
  absl::Notification sent;
  service.on_watch = [&](grpc::ServerContext* context,
                         grpc::ServerWriter<v1::AgentUpdate>* writer) {
    writer->Write(Numbered(1));
    sent.Notify();
    WaitUntilCancelled(context);
    return grpc::Status::CANCELLED;
  };
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  auto channel = std::make_unique<ControlPlaneChannel>(loop, door.address(), IdentityOf(ca));
  auto stream = std::make_unique<Stream>(*channel, &Rpc::WatchSnapshot, v1::WatchSnapshotRequest());
  sent.WaitForNotification();
  channel->Shutdown();
  // What begins after that ends at once.
  CHECK(RunRefresh(loop, *channel, absl::Seconds(10)).status().code() ==
        absl::StatusCode::kCancelled);
  stream.reset();
  channel.reset();
}

TEST_CASE("a channel that goes away cancels its calls, and their coroutines may be gone",
          "[agent][link]") {
  const TestCa ca;
  Service service;
  absl::Notification begun;
  service.on_refresh = [&](grpc::ServerContext* context, auto*) {
    begun.Notify();
    WaitUntilCancelled(context);
    return grpc::Status::CANCELLED;
  };
  FakeDoor door(ca, {&service}, {});
  absl::StatusOr<v1::RefreshKeysResponse> got = absl::UnknownError("not called");
  {
    Loop loop;
    ControlPlaneChannel channel(loop, door.address(), IdentityOf(ca));
    loop.Spawn(Refresh(&channel, absl::Seconds(30), &got));
    loop.RunReady();
    begun.WaitForNotification();
  }
  CHECK(got.status().message() == "not called");
}

}  // namespace
}  // namespace sallyport::agent
