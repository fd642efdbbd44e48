#include "controlplane/rpc/front_door.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/rpc/client_hello.h"

namespace sallyport::controlplane {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::size_t kRecordHeaderBytes = 5;

absl::Time Monotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::TimeFromTimespec(now);
}

// What one customer of a provider can have many of is one address.
std::string CountedAddress(const std::string& ip) {
  in6_addr v6{};
  if (inet_pton(AF_INET6, ip.c_str(), &v6) != 1) return ip;
  std::fill(v6.s6_addr + 8, v6.s6_addr + 16, 0);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &v6, text, sizeof text);
  return text;
}

// Not readable before so many bytes are there: a ClientHello that comes byte by byte wakes nobody.
void SetLowWaterMark(int fd, std::size_t bytes) {
  const int mark = static_cast<int>(bytes);
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

bool Watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.fd = fd}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrontDoor>> FrontDoor::Open(TcpListener listener, Servers servers,
                                                           Limits limits, Metrics& metrics) {
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  Descriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.is_open() || !stop.is_open() || !Watch(epoll.get(), stop.get()) ||
      !Watch(epoll.get(), listener.socket.get())) {
    return absl::ErrnoToStatus(errno, absl::StrCat("epoll for ", listener.address));
  }
  return std::unique_ptr<FrontDoor>(new FrontDoor(
      std::move(listener), std::move(epoll), std::move(stop), std::move(servers), limits, metrics));
}

FrontDoor::FrontDoor(TcpListener listener, Descriptor epoll, Descriptor stop, Servers servers,
                     Limits limits, Metrics& metrics)
    : listener_(std::move(listener.socket)),
      address_(std::move(listener.address)),
      epoll_(std::move(epoll)),
      stop_(std::move(stop)),
      servers_(std::move(servers)),
      limits_(limits),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

FrontDoor::~FrontDoor() { Close(); }

void FrontDoor::Close() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
  by_fd_.clear();
  half_open_.clear();
  listener_ = Descriptor();
}

void FrontDoor::Run() {
  std::array<epoll_event, 128> events;
  for (;;) {
    const int count =
        epoll_wait(epoll_.get(), events.data(), events.size(), MillisecondsToNextEvent());
    if (count < 0 && errno != EINTR) {
      LogError("front_door_failed", {{"errno", errno}});
      return;
    }
    bool accepts = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get()) {
        accepts = true;
      } else if (const auto found = by_fd_.find(fd); found != by_fd_.end()) {
        Peek(found->second, (events[i].events & EPOLLRDHUP) != 0);
      }
    }
    CloseOverdue();
    // After the others: a descriptor that was closed above may come back under the same number.
    if (accepts) AcceptSome();
  }
}

void FrontDoor::AcceptSome() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Accepter::Result result = accepter_.Accept(listener_.get());
    if (result.must_pause) {
      metrics_.Count("sallyport_front_door_exhausted_total");
      LogWarning("front_door_exhausted", {{"half_open", half_open_.size()}});
      paused_until_ = Monotonic() + limits_.pause;
      WatchListener(false);
      return;
    }
    if (!result.connection.is_open()) return;
    Admit(std::move(result.connection));
  }
}

void FrontDoor::Admit(Descriptor connection) {
  metrics_.Count("sallyport_front_door_connections_total", {{"outcome", "accepted"}});
  std::string address = CountedAddress(PeerIp(connection.get()));
  if (per_address_[address] >= limits_.half_open_per_address) {
    metrics_.Count("sallyport_front_door_connections_total", {{"outcome", "address_limit"}});
    return;
  }
  if (half_open_.size() >= limits_.half_open) {
    metrics_.Count("sallyport_front_door_connections_total", {{"outcome", "evicted"}});
    Forget(half_open_.begin());
  }
  const int fd = connection.get();
  SetLowWaterMark(fd, kRecordHeaderBytes);
  if (!Watch(epoll_.get(), fd)) {
    if (per_address_[address] == 0) per_address_.erase(address);
    return;
  }
  ++per_address_[address];
  half_open_.push_back({.socket = std::move(connection),
                        .address = std::move(address),
                        .deadline = Monotonic() + limits_.hello_deadline});
  by_fd_[fd] = std::prev(half_open_.end());
}

void FrontDoor::Peek(HalfOpens::iterator connection, bool is_half_closed) {
  std::array<char, kMaxClientHelloBytes> buffer;
  const int fd = connection->socket.get();
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    Forget(connection);
    return;
  }
  const ClientHelloPeek peek =
      PeekClientHello(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  switch (peek.state) {
    case ClientHelloPeek::State::kComplete:
      HandOver(connection, peek.server_name);
      return;
    case ClientHelloPeek::State::kIncomplete:
      // The other side has said all it will, and it is not enough.
      if (is_half_closed) break;
      SetLowWaterMark(fd, peek.bytes_needed);
      return;
    case ClientHelloPeek::State::kInvalid:
      break;
  }
  metrics_.Count("sallyport_front_door_connections_total", {{"outcome", "not_tls"}});
  Forget(connection);
}

void FrontDoor::HandOver(HalfOpens::iterator connection, std::string_view server_name) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection->socket.get(), nullptr);
  Descriptor socket = Forget(connection);
  SetLowWaterMark(socket.get(), 1);
  if (server_name == kAgentsServerName) {
    servers_.agents(socket.Release());
  } else if (server_name == kEnrollmentServerName) {
    servers_.enrollment(socket.Release());
  } else {
    servers_.people(socket.Release());
  }
}

// Closing a descriptor takes it out of the epoll set.
Descriptor FrontDoor::Forget(HalfOpens::iterator connection) {
  Descriptor socket = std::move(connection->socket);
  by_fd_.erase(socket.get());
  const auto count = per_address_.find(connection->address);
  if (count != per_address_.end() && --count->second == 0) per_address_.erase(count);
  half_open_.erase(connection);
  return socket;
}

void FrontDoor::CloseOverdue() {
  const absl::Time now = Monotonic();
  while (!half_open_.empty() && half_open_.front().deadline <= now) {
    metrics_.Count("sallyport_front_door_connections_total", {{"outcome", "too_slow"}});
    Forget(half_open_.begin());
  }
  if (paused_until_ != absl::InfinitePast() && paused_until_ <= now) {
    paused_until_ = absl::InfinitePast();
    WatchListener(true);
  }
}

int FrontDoor::MillisecondsToNextEvent() const {
  absl::Time next = absl::InfiniteFuture();
  if (!half_open_.empty()) next = half_open_.front().deadline;
  if (paused_until_ != absl::InfinitePast()) next = std::min(next, paused_until_);
  if (next == absl::InfiniteFuture()) return -1;
  const int64_t left = absl::ToInt64Milliseconds(next - Monotonic());
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, 60'000));
}

void FrontDoor::WatchListener(bool watch) {
  if (watch) {
    Watch(epoll_.get(), listener_.get());
  } else {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr);
  }
}

}  // namespace sallyport::controlplane
