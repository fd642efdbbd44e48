#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {

// The address that the flags and the environment name, in the form they have there.
std::string TargetAddress(const ClientOptions& options);

// A channel to the control plane with the caller's own credentials: none on the admin socket, whose
// peer the kernel names; elsewhere TLS and the bearer token of SALLYPORT_TOKEN or of `sallyport
// login`.
class ApiConnection {
 public:
  // Reads what it needs; nothing has been sent when it returns. kInvalidArgument for an address
  // that is none, kUnauthenticated when there is no token.
  static absl::StatusOr<ApiConnection> Open(const ClientOptions& options);

  template <class Service>
  std::unique_ptr<typename Service::Stub> Stub() const {
    return Service::NewStub(channel_);
  }

  // For one call. Streams that wait for people have no deadline: absl::InfiniteDuration().
  std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout = absl::Seconds(30)) const;

  // Whether there is a way to it now: waits until it is there, or until an attempt has failed.
  bool Connect() const;

  const std::string& address() const { return address_; }

 private:
  ApiConnection(std::string address, std::string token, std::shared_ptr<grpc::Channel> channel)
      : address_(std::move(address)), token_(std::move(token)), channel_(std::move(channel)) {}

  std::string address_;
  std::string token_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace sallyport::controlplane
