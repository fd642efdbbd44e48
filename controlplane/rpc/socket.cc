#include "controlplane/rpc/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

constexpr int kBacklog = 1024;

absl::Status Errno(std::string_view what, std::string_view where) {
  return absl::ErrnoToStatus(errno, absl::StrCat(ToAbsl(what), " ", ToAbsl(where)));
}

std::string Ip(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    }
  }
  return text;
}

int PortOf(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  return storage.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port)
             : ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

bool SomebodyListens(const sockaddr_un& address) {
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.is_open()) return true;
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno != ECONNREFUSED;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<HostPort> SplitHostPort(std::string_view address) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", ToAbsl(address), "\" is not of the form host:port"));
  };
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  uint32_t number = 0;
  if (port.empty() || port.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(ToAbsl(port), &number) || number > 65535) {
    return bad();
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return bad();
  }
  if (host.empty()) return bad();
  return HostPort{std::string(host), std::string(port)};
}

std::string JoinHostPort(std::string_view host, std::string_view port) {
  if (host.find(':') != std::string_view::npos) {
    return absl::StrCat("[", ToAbsl(host), "]:", ToAbsl(port));
  }
  return absl::StrCat(ToAbsl(host), ":", ToAbsl(port));
}

absl::StatusOr<TcpListener> ListenTcp(const std::string& address) {
  ASSIGN_OR_RETURN(const HostPort parts, SplitHostPort(address));
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found)) {
    return absl::InvalidArgumentError(absl::StrCat("listen ", address, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  Descriptor listener(
      socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol));
  if (!listener.is_open()) return Errno("socket for", address);
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Connections inherit it: an answer is one small frame that must not wait for the next.
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener.get(), found->ai_addr, found->ai_addrlen) != 0) return Errno("bind", address);
  if (listen(listener.get(), kBacklog) != 0) return Errno("listen", address);
  std::string bound = JoinHostPort(parts.host, std::to_string(PortOf(listener.get())));
  return TcpListener{std::move(listener), std::move(bound)};
}

absl::StatusOr<Descriptor> ListenUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the socket path ", path, " is too long: ", sizeof address.sun_path - 1, " bytes at most"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());

  struct stat existing {};
  if (lstat(path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat(path, " exists and is not a socket"));
    }
    if (SomebodyListens(address)) {
      return absl::FailedPreconditionError(absl::StrCat("another program listens on ", path));
    }
    if (unlink(path.c_str()) != 0) return Errno("remove", path);
  }

  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.is_open()) return Errno("socket for", path);
  // Linux makes the file with the mode of the socket: there is no moment at which it is wider.
  if (fchmod(listener.get(), 0600) != 0) return Errno("set the mode of", path);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Errno("bind", path);
  }
  if (listen(listener.get(), kBacklog) != 0) return Errno("listen", path);
  return listener;
}

std::string PeerIp(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return Ip(storage);
}

Accepter::Accepter() : reserve_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Accepter::Result Accepter::Accept(int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) return {.connection = Descriptor(fd)};
    switch (errno) {
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
        continue;
      case EMFILE:
      case ENFILE: {
        reserve_ = Descriptor();
        const Descriptor shed(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        break;
      }
      case ENOBUFS:
      case ENOMEM:
        break;
      default:
        return {};
    }
    if (!reserve_.is_open()) reserve_ = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
    return {.must_pause = true};
  }
}

}  // namespace sallyport::controlplane
