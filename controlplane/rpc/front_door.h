#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/rpc/metrics.h"
#include "controlplane/rpc/socket.h"

namespace sallyport::controlplane {

// The name a client asks for in TLS decides which server it gets.
inline constexpr std::string_view kAgentsServerName = "agents.sallyport";
inline constexpr std::string_view kEnrollmentServerName = "enroll.sallyport";

// The one TCP port. An accept loop of our own, for gRPC's never accepts again after it has once run
// out of descriptors. It looks at the ClientHello of each connection without taking a byte of it,
// and hands the descriptor to the server that the name in it asks for; what is no TLS, too long or
// too slow is closed. Until a connection is handed over it costs one descriptor and no thread.
class FrontDoor {
 public:
  // Each takes a descriptor over, on the door's thread, and must be quick.
  struct Servers {
    std::function<void(int fd)> people;
    std::function<void(int fd)> agents;
    std::function<void(int fd)> enrollment;
  };
  struct Limits {
    absl::Duration hello_deadline = absl::Seconds(5);
    // Connections whose ClientHello is still awaited. When there are more in all, the oldest is
    // closed; when there are more of one address (IPv6: one /64), the newest.
    std::size_t half_open = 1024;
    std::size_t half_open_per_address = 64;
    // How long to leave the queue alone after running out of descriptors.
    absl::Duration pause = absl::Milliseconds(50);
  };

  // `metrics` outlives it.
  static absl::StatusOr<std::unique_ptr<FrontDoor>> Open(TcpListener listener, Servers servers,
                                                         Limits limits, Metrics& metrics);
  ~FrontDoor();
  FrontDoor(const FrontDoor&) = delete;
  FrontDoor& operator=(const FrontDoor&) = delete;

  // As bound.
  const std::string& address() const { return address_; }

  // Accepts no more, and closes what has not been handed over. Returns when the thread is gone.
  void Close();

 private:
  struct HalfOpen {
    Descriptor socket;
    std::string address;
    absl::Time deadline;
  };
  using HalfOpens = std::list<HalfOpen>;

  FrontDoor(TcpListener listener, Descriptor epoll, Descriptor stop, Servers servers, Limits limits,
            Metrics& metrics);
  void Run();
  void AcceptSome();
  void Admit(Descriptor connection);
  void Peek(HalfOpens::iterator connection, bool is_half_closed);
  void HandOver(HalfOpens::iterator connection, std::string_view server_name);
  Descriptor Forget(HalfOpens::iterator connection);
  void CloseOverdue();
  int MillisecondsToNextEvent() const;
  void WatchListener(bool watch);

  Descriptor listener_;
  const std::string address_;
  Descriptor epoll_;
  Descriptor stop_;
  const Servers servers_;
  const Limits limits_;
  Metrics& metrics_;

  // The thread's own.
  Accepter accepter_;
  HalfOpens half_open_;  // the oldest first, which is also the first to be overdue
  std::unordered_map<int, HalfOpens::iterator> by_fd_;
  std::unordered_map<std::string, std::size_t> per_address_;
  absl::Time paused_until_ = absl::InfinitePast();

  std::thread thread_;
};

}  // namespace sallyport::controlplane
