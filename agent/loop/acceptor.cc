#include "agent/loop/acceptor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/loop/stream.h"

namespace sallyport::agent {

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(Loop& loop, const Endpoint& at) {
  const int fd = socket(at.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(strerror(errno));
  const int on = 1;
  Endpoint local;
  const bool is_listening = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                            bind(fd, at.raw(), at.size) == 0 && listen(fd, SOMAXCONN) == 0 &&
                            getsockname(fd, local.raw(), &local.size) == 0;
  if (is_listening) return std::unique_ptr<Acceptor>(new Acceptor(loop, fd, local));
  const absl::Status refused = absl::UnavailableError(strerror(errno));
  close(fd);
  return refused;
}

IoResult Acceptor::TryAccept(Endpoint& peer) {
  if (!descriptor_.is_open()) return {.error = EBADF};
  if (!descriptor_.may_read()) return {.error = EAGAIN};
  peer = Endpoint();
  const int fd = accept4(descriptor_.fd(), peer.raw(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EAGAIN) descriptor_.MayNotRead();
    return {.error = errno};
  }
  Stream::SendAtOnce(fd);
  return {.n = static_cast<std::size_t>(fd)};
}

}  // namespace sallyport::agent
