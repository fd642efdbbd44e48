#pragma once

#include <memory>
#include <string>

#include "sallyport/access/v1/access_service.grpc.pb.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"
#include "tests/integration/controlplane/rpc/deployment.h"

namespace sallyport::controlplane {

inline constexpr char kOpenPolicy[] = R"(kind: Policy
name: bots
spec:
  principals: [{realm: corp, client_ids: [bot]}]
  servers: [wiki]
  rules: [{allow: {tools: ["*"]}}]
)";

// On wiki, for the bot of this token, by the agent of this certificate.
inline types::v1::Session OpenByAgent(Deployment& deployment, const ClientCertificate& certificate,
                                      const std::string& token) {
  access::v1::OpenSessionRequest request;
  request.set_request_id("0123456789abcdef");
  request.set_server("wiki");
  request.set_token(token);
  request.set_client_address("10.0.0.1");
  access::v1::OpenSessionResponse response;
  const auto status = access::v1::AccessService::NewStub(deployment.Agents(certificate))
                          ->OpenSession(Deployment::Context().get(), request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response.session();
}

// One agent's update stream.
class Watching {
 public:
  Watching(Deployment& deployment, const ClientCertificate& certificate,
           const std::string& instance = "")
      : stub_(agent::v1::SnapshotService::NewStub(deployment.Agents(certificate))),
        context_(Deployment::Context()) {
    agent::v1::WatchSnapshotRequest request;
    request.set_instance(instance);
    reader_ = stub_->WatchSnapshot(context_.get(), request);
  }

  // The next update that is no heartbeat; one that is not set when the stream has ended.
  agent::v1::AgentUpdate Next() {
    agent::v1::AgentUpdate update;
    while (reader_->Read(&update)) {
      if (!update.has_heartbeat()) return update;
    }
    return {};
  }
  grpc::StatusCode Beat(const agent::v1::BeatRequest& request) {
    agent::v1::BeatResponse response;
    return stub_->Beat(Deployment::Context().get(), request, &response).error_code();
  }
  // Says a beat, and reads on to the heartbeat that says it back.
  bool IsSaidBack(uint64_t beat) {
    agent::v1::BeatRequest request;
    request.set_beat(beat);
    if (Beat(request) != grpc::StatusCode::OK) return false;
    agent::v1::AgentUpdate update;
    while (reader_->Read(&update)) {
      if (update.heartbeat().beat() == beat) return true;
    }
    return false;
  }
  grpc::Status Finish() { return reader_->Finish(); }

 private:
  std::unique_ptr<agent::v1::SnapshotService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<agent::v1::AgentUpdate>> reader_;
};

inline agent::v1::Snapshot SnapshotOf(const agent::v1::AgentUpdate& update) {
  agent::v1::Snapshot snapshot;
  REQUIRE(update.has_snapshot());
  REQUIRE(snapshot.ParseFromString(update.snapshot().snapshot()));
  return snapshot;
}

}  // namespace sallyport::controlplane
