#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/rpc/admin_socket.h"
#include "controlplane/rpc/front_door.h"
#include "controlplane/rpc/identify_caller.h"
#include "controlplane/rpc/metrics.h"
#include "controlplane/rpc/rpc_door.h"
#include "controlplane/rpc/rpc_server.h"
#include "controlplane/rpc/tls_credentials.h"
#include "controlplane/rpc/use_cases.h"

namespace sallyport::controlplane {

// All ways in: the front door with the three servers behind it, and the admin socket with one
// server for each user it admits, so that a call's caller is a fact of the server it came through.
class Doors {
 public:
  struct Needs {
    const Foundations& on;
    UseCases& use_cases;
    const IdentifyCaller& identify;
    Metrics& metrics;
  };
  struct Files {
    TlsIdentityFiles people;
    // The agents' and the enrollment door's; the chain holds our CA.
    TlsIdentityFiles agents;
    std::string ca_file;
    std::string admin_socket;
  };

  // Open for business when it returns. `listener` is bound already, for its port is part of what
  // the use cases are made with.
  static absl::StatusOr<std::unique_ptr<Doors>> Open(const Needs& needs, const Files& files,
                                                     TcpListener listener);
  ~Doors();
  Doors(const Doors&) = delete;
  Doors& operator=(const Doors&) = delete;

  // Lets nobody in any more, gives running calls `grace` in all to end and cancels what is left.
  void Drain(absl::Duration grace);

 private:
  struct Served;

  Doors() = default;
  static absl::StatusOr<std::unique_ptr<Served>> Serve(const Needs& needs,
                                                       const RpcServer::Options& options,
                                                       std::shared_ptr<grpc::ServerCredentials> tls,
                                                       uid_t local_uid = 0);

  std::unique_ptr<Served> people_;
  std::unique_ptr<Served> agents_;
  std::unique_ptr<Served> enrollment_;
  std::vector<std::unique_ptr<Served>> local_;
  std::unique_ptr<FrontDoor> front_door_;
  std::unique_ptr<AdminSocket> admin_socket_;
};

}  // namespace sallyport::controlplane
