#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "controlplane/rpc/metrics.h"
#include "controlplane/rpc/socket.h"

namespace sallyport::controlplane {

// The unix socket of mode 0600 on the control plane's machine. An accept loop of our own, because
// the kernel's word on who connects is to be had only from the socket and gRPC does not ask for it:
// root and the user that this program runs as are let in, anybody else is closed at once.
class AdminSocket {
 public:
  // Takes over the descriptor of a connection by `uid`, on the socket's thread.
  using Server = std::function<void(int fd, uid_t uid)>;

  // `metrics` outlives it.
  static absl::StatusOr<std::unique_ptr<AdminSocket>> Open(const std::string& path, Server server,
                                                           Metrics& metrics);
  ~AdminSocket();
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;

  const std::string& path() const { return path_; }

  // Accepts no more and removes the file.
  void Close();

 private:
  AdminSocket(std::string path, Descriptor listener, Descriptor stop, Server server,
              Metrics& metrics);
  void Run();
  void AcceptAll();

  const std::string path_;
  Descriptor listener_;
  Descriptor stop_;
  const Server server_;
  Metrics& metrics_;
  Accepter accepter_;
  bool is_paused_ = false;
  std::thread thread_;
};

}  // namespace sallyport::controlplane
