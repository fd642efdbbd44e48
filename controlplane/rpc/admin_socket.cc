#include "controlplane/rpc/admin_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {
namespace {

constexpr int kPauseMilliseconds = 50;

}  // namespace

absl::StatusOr<std::unique_ptr<AdminSocket>> AdminSocket::Open(const std::string& path,
                                                               Server server, Metrics& metrics) {
  ASSIGN_OR_RETURN(Descriptor listener, ListenUnix(path));
  Descriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.is_open()) return absl::ErrnoToStatus(errno, "eventfd for the admin socket");
  return std::unique_ptr<AdminSocket>(
      new AdminSocket(path, std::move(listener), std::move(stop), std::move(server), metrics));
}

AdminSocket::AdminSocket(std::string path, Descriptor listener, Descriptor stop, Server server,
                         Metrics& metrics)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      stop_(std::move(stop)),
      server_(std::move(server)),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

AdminSocket::~AdminSocket() { Close(); }

void AdminSocket::Close() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
  listener_ = Descriptor();
  unlink(path_.c_str());
}

void AdminSocket::Run() {
  for (;;) {
    pollfd events[] = {{.fd = stop_.get(), .events = POLLIN},
                       {.fd = is_paused_ ? -1 : listener_.get(), .events = POLLIN}};
    if (poll(events, 2, is_paused_ ? kPauseMilliseconds : -1) < 0 && errno != EINTR) {
      LogError("admin_socket_failed", {{"errno", errno}});
      return;
    }
    if (events[0].revents != 0) return;
    is_paused_ = false;
    AcceptAll();
  }
}

void AdminSocket::AcceptAll() {
  for (;;) {
    Accepter::Result result = accepter_.Accept(listener_.get());
    is_paused_ = result.must_pause;
    if (!result.connection.is_open()) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(result.connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != 0 && peer.uid != geteuid())) {
      metrics_.Count("sallyport_admin_socket_refused_total");
      LogWarning("admin_socket_refused", {{"uid", peer.uid}});
      continue;
    }
    server_(result.connection.Release(), peer.uid);
  }
}

}  // namespace sallyport::controlplane
