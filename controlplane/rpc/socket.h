#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sallyport::controlplane {

// Owns one descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct HostPort {
  std::string host;  // without brackets
  std::string port;
};

// `host:port` or `[v6]:port`; kInvalidArgument for anything else. The port is a decimal number up
// to 65535.
absl::StatusOr<HostPort> SplitHostPort(std::string_view address);
// With brackets where the host is an IPv6 address.
std::string JoinHostPort(std::string_view host, std::string_view port);

struct TcpListener {
  Descriptor socket;    // non-blocking, close-on-exec
  std::string address;  // as bound: port 0 has become the real one
};

// Messages name the address.
absl::StatusOr<TcpListener> ListenTcp(const std::string& address);

// Binds a socket of mode 0600. One that nobody listens on any more is replaced;
// kFailedPrecondition where somebody does, or where the path is no socket.
absl::StatusOr<Descriptor> ListenUnix(const std::string& path);

// The numeric IP address of the other side, without a port; of an IPv4-mapped address the IPv4 one.
// Empty where there is none.
std::string PeerIp(int fd);

// Takes connections from a non-blocking listener and lives through running out of descriptors: the
// one it keeps in reserve lets it accept and close what it cannot serve, so that the queue drains
// and clients learn at once.
class Accepter {
 public:
  Accepter();

  struct Result {
    Descriptor connection;    // not open: none waits
    bool must_pause = false;  // out of descriptors or memory: do not ask again for a moment
  };
  Result Accept(int listener);

 private:
  Descriptor reserve_;
};

}  // namespace sallyport::controlplane
