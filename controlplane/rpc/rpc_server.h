#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/rpc/method_table.h"

namespace sallyport::controlplane {

// The gRPC server behind one door. It listens nowhere: it is given connections.
class RpcServer {
 public:
  struct Options {
    DoorKind door = DoorKind::kPeople;
    // One message to us.
    int max_message_bytes = 4 << 20;
    // A call takes a thread while it is served, a stream for as long as it is open; more calls at
    // once get RESOURCE_EXHAUSTED.
    int max_threads = 256;
    // How long a connection may live. It is then told to go away and its streams are cut after
    // another minute, so that nobody outlives his certificate by much.
    absl::Duration max_connection_age = absl::Minutes(30);
  };

  // Must be called once in the program before the first Start: health and reflection are registered
  // with every server that is built (the method table says who gets to them).
  static void RegisterCommonServices();

  // `services` outlive it.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(
      const Options& options, std::shared_ptr<grpc::ServerCredentials> credentials,
      std::span<grpc::Service* const> services);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // Takes the descriptor of a connection over. Closes it when the server has been drained.
  void Take(int fd);

  // Health says NOT_SERVING, no call is begun any more, and those still running at `deadline`
  // are cancelled. Returns when the last has ended.
  void Drain(absl::Time deadline);

 private:
  RpcServer() = default;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sallyport::controlplane
