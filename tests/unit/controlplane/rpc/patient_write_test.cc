#include "controlplane/rpc/patient_write.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "sallyport/admin/v1/approval_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

// Writes without an end, or to the end of its patience.
class Talker final : public admin::v1::ApprovalService::Service {
 public:
  explicit Talker(absl::Duration patience) : patience_(patience) {}

  grpc::Status WatchApprovals(
      grpc::ServerContext* context, const admin::v1::WatchApprovalsRequest*,
      grpc::ServerWriter<admin::v1::WatchApprovalsResponse>* writer) override {
    admin::v1::WatchApprovalsResponse response;
    response.mutable_approval()->set_arguments(std::string(4096, 'x'));
    while (ended.ok()) ended = PatientWrite(*context, *writer, response, patience_);
    has_ended.Notify();
    return grpc::Status::OK;
  }

  absl::Status ended;
  absl::Notification has_ended;

 private:
  const absl::Duration patience_;
};

struct Watched {
  explicit Watched(absl::Duration patience) : talker(patience) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&talker);
    server = builder.BuildAndStart();
    stub = admin::v1::ApprovalService::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
    stream = stub->WatchApprovals(&context, {});
    REQUIRE(stream->Read(&response));
  }
  ~Watched() { server->Shutdown(); }

  Talker talker;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<admin::v1::ApprovalService::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<admin::v1::WatchApprovalsResponse>> stream;
  admin::v1::WatchApprovalsResponse response;
};

TEST_CASE("a reader who does not read is waited for no longer, and told so",
          "[controlplane][rpc]") {
  Watched watched(absl::Milliseconds(200));
  REQUIRE(watched.talker.has_ended.WaitForNotificationWithTimeout(absl::Seconds(20)));
  CHECK(absl::IsResourceExhausted(watched.talker.ended));
  while (watched.stream->Read(&watched.response)) continue;
  const grpc::Status status = watched.stream->Finish();
  CHECK(status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(status.error_message() == "the reader has not read for 200ms");
}

TEST_CASE("a reader who reads is written to for longer than the patience of one message",
          "[controlplane][rpc]") {
  Watched watched(absl::Milliseconds(500));
  const absl::Time end = absl::Now() + absl::Seconds(1);
  while (absl::Now() < end) REQUIRE(watched.stream->Read(&watched.response));
  watched.context.TryCancel();
  REQUIRE(watched.talker.has_ended.WaitForNotificationWithTimeout(absl::Seconds(20)));
  CHECK(absl::IsCancelled(watched.talker.ended));
}

}  // namespace
}  // namespace sallyport::controlplane
