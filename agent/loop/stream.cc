#include "agent/loop/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sallyport::agent {

absl::StatusOr<int> Stream::BeginConnect(const Endpoint& to) {
  const int fd = socket(to.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(strerror(errno));
  SendAtOnce(fd);
  if (connect(fd, to.raw(), to.size) == 0 || errno == EINPROGRESS) return fd;
  const absl::Status refused = absl::UnavailableError(strerror(errno));
  close(fd);
  return refused;
}

void Stream::SendAtOnce(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

IoResult Stream::ConnectResult() {
  if (!is_open()) return {.error = EBADF};
  if (!descriptor_.may_write()) return {.error = EAGAIN};
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(descriptor_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  return {.error = error};
}

Task<absl::Status> Stream::BeTlsServer(const TlsContext& context) {
  tls_.emplace(context, descriptor_);
  tls_->BeServer();
  return ShakeHands();
}

Task<absl::Status> Stream::BeTlsClient(const TlsContext& context, const std::string& host) {
  tls_.emplace(context, descriptor_);
  if (absl::Status set = tls_->BeClient(host); !set.ok()) return Task<absl::Status>(set);
  return ShakeHands();
}

Task<absl::Status> Stream::ShakeHands() {
  const IoResult result = co_await Until(descriptor_, Descriptor::Direction::kRead,
                                         [this] { return tls_->Handshake(); });
  if (!result.ok()) {
    co_return absl::UnavailableError(tls_->complaint().empty() ? strerror(result.error)
                                                               : tls_->complaint());
  }
  co_return absl::OkStatus();
}

bool Stream::IsQuiet() {
  if (!is_open() || (tls_ && tls_->has_pending())) return false;
  return !descriptor_.may_read() || descriptor_.IsEmpty();
}

void Stream::ShutdownSend() {
  if (!is_open()) return;
  if (tls_) tls_->SayEnd();
  shutdown(descriptor_.fd(), SHUT_WR);
}

}  // namespace sallyport::agent
