#include "agent/link/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/snapshot_limits.h"

namespace sallyport::agent {
namespace {

constexpr int kMetadataBytes = 24 << 10;
constexpr int kMessageBytes = static_cast<int>(kMaxAgentMessageBytes);

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address, const std::string& door,
                                           const LinkIdentity& identity) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = identity.ca;
  tls.pem_private_key = identity.private_key;
  tls.pem_cert_chain = identity.certificate_chain;

  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(door);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  arguments.SetMaxReceiveMessageSize(kMessageBytes);
  arguments.SetMaxSendMessageSize(kMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  // gRPC adds a fifth to it; an opening that waits for a control plane that is back waits 5 s.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // Proxies of the environment are for HTTP clients.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // gRPC shares connections between channels of equal arguments: this one shares none, so that
  // Rotate means a new connection.
  arguments.SetString("sallyport.channel", NewRequestId());
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
}

ControlPlaneChannel::ControlPlaneChannel(Loop& loop, std::string address,
                                         const LinkIdentity& identity)
    : loop_(loop),
      address_(std::move(address)),
      channel_(OpenChannel(address_, kAgentsDoor, identity)) {}

ControlPlaneChannel::~ControlPlaneChannel() { Shutdown(); }

std::shared_ptr<grpc::Channel> ControlPlaneChannel::channel() const {
  absl::MutexLock lock(&mutex_);
  return channel_;
}

void ControlPlaneChannel::Rotate(const LinkIdentity& identity) {
  auto fresh = OpenChannel(address_, kAgentsDoor, identity);
  absl::MutexLock lock(&mutex_);
  channel_.swap(fresh);
}

void ControlPlaneChannel::Shutdown() {
  std::vector<std::shared_ptr<RunningCall>> running;
  {
    absl::MutexLock lock(&mutex_);
    is_shut_ = true;
    for (const auto& [key, call] : running_) running.push_back(call);
  }
  // Without the lock: a call that ends takes it.
  for (const auto& call : running) call->Cancel();
  std::vector<std::shared_ptr<RunningCall>> ended;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](decltype(running_)* calls) { return calls->empty(); }, &running_));
  ended.swap(ended_);
}

void ControlPlaneChannel::Began(std::shared_ptr<RunningCall> call) {
  std::vector<std::shared_ptr<RunningCall>> ended;
  {
    absl::MutexLock lock(&mutex_);
    ended.swap(ended_);
    running_.emplace(call.get(), call);
    if (!is_shut_) return;
  }
  call->Cancel();
}

void ControlPlaneChannel::Ended(const RunningCall* call) {
  absl::MutexLock lock(&mutex_);
  const auto found = running_.find(call);
  if (found == running_.end()) return;
  ended_.push_back(std::move(found->second));
  running_.erase(found);
}

}  // namespace sallyport::agent
