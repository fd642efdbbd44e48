#include "agent/loop/descriptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cstring>

namespace sallyport::agent {
namespace {

// A head and its body, or two, of a call.
constexpr std::size_t kGatheredBytes = std::size_t{8} << 10;

bool IsSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

// Copying two short parts is cheaper than having the kernel gather them.
ssize_t SendBoth(int fd, std::string_view first, std::string_view second) {
  if (second.empty()) return send(fd, first.data(), first.size(), MSG_NOSIGNAL);
  std::array<char, kGatheredBytes> both;
  std::memcpy(both.data(), first.data(), first.size());
  std::memcpy(both.data() + first.size(), second.data(), second.size());
  return send(fd, both.data(), first.size() + second.size(), MSG_NOSIGNAL);
}

// The kernel does not write to the parts, but its interface is not const.
ssize_t WriteBoth(int fd, std::string_view first, std::string_view second) {
  const iovec parts[] = {{const_cast<char*>(first.data()), first.size()},
                         {const_cast<char*>(second.data()), second.size()}};
  return writev(fd, parts, second.empty() ? 1 : 2);
}

IoResult ResultOf(ssize_t n) {
  if (n >= 0) return {.n = static_cast<std::size_t>(n)};
  return {.error = errno == EWOULDBLOCK ? EAGAIN : errno};
}

}  // namespace

Descriptor::Descriptor(Loop& loop, int fd, bool is_connecting)
    : loop_(loop), fd_(fd), is_socket_(IsSocket(fd)), may_write_(!is_connecting) {
  loop_.Watch(fd_, *this, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET);
}

Descriptor::~Descriptor() {
  Close();
  for (Waiter* one : {reader_, writer_}) {
    if (one != nullptr) one->descriptor_ = nullptr;
  }
}

IoResult Descriptor::Read(char* room, std::size_t size) {
  if (!is_open()) return {.error = EBADF};
  if (!may_read_) return {.error = EAGAIN};
  ssize_t n;
  do {
    n = is_socket_ ? recv(fd_, room, size, 0) : read(fd_, room, size);
  } while (n < 0 && errno == EINTR);
  const IoResult result = ResultOf(n);
  const bool is_short = result.ok() && result.n < size && is_short_read_final_;
  if (is_short || result.would_block()) may_read_ = false;
  return result;
}

bool Descriptor::IsEmpty() {
  pollfd asked{.fd = fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
  const bool is_empty = poll(&asked, 1, 0) == 0;
  if (is_empty) may_read_ = false;
  return is_empty;
}

IoResult Descriptor::Write(std::string_view first, std::string_view second) {
  if (!is_open()) return {.error = EBADF};
  if (!may_write_) return {.error = EAGAIN};
  const std::size_t size = first.size() + second.size();
  const bool sends = is_socket_ && (second.empty() || size <= kGatheredBytes);
  ssize_t n;
  do {
    n = sends ? SendBoth(fd_, first, second) : WriteBoth(fd_, first, second);
  } while (n < 0 && errno == EINTR);
  const IoResult result = ResultOf(n);
  const bool is_short = result.ok() && result.n < size;
  if (is_short || result.would_block()) may_write_ = false;
  return result;
}

void Descriptor::Cancel(Direction direction) {
  Waiter* const one = waiter(direction);
  if (one == nullptr) return;
  one->is_cancelled_ = true;
  loop_.MakeReadyLast(*this);
}

void Descriptor::Close() {
  if (!is_open()) return;
  Cancel(Direction::kRead);
  Cancel(Direction::kWrite);
  // Not left to close: a child that is being spawned may hold a copy for a moment.
  loop_.Forget(fd_);
  close(std::exchange(fd_, -1));
}

void Descriptor::Note(std::uint32_t events) {
  constexpr std::uint32_t kEnd = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if (events & (EPOLLIN | EPOLLPRI | kEnd)) may_read_ = true;
  if (events & kEnd) has_ended_ = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) may_write_ = true;
  // Behind the last byte comes the end, of which the kernel does not tell again; and a read stops
  // at an urgent byte.
  if (events & (EPOLLPRI | kEnd)) is_short_read_final_ = false;
  if ((reader_ != nullptr || writer_ != nullptr) && !is_listed()) loop_.MakeReadyLast(*this);
}

void Descriptor::Run() {
  for (Waiter** slot : {&reader_, &writer_}) {
    Waiter* const one = *slot;
    if (one == nullptr) continue;
    if (one->is_cancelled_) {
      one->BeCancelled();
    } else if (!one->Try()) {
      continue;
    }
    *slot = nullptr;
    one->descriptor_ = nullptr;
    // The other one has its turn afterwards, if we are still there.
    if (reader_ != nullptr || writer_ != nullptr) loop_.MakeReadyLast(*this);
    one->task_.resume();
    return;
  }
}

Descriptor::Waiter::~Waiter() {
  if (descriptor_ == nullptr) return;
  Waiter*& slot = descriptor_->waiter(direction_);
  if (slot == this) slot = nullptr;
}

bool Descriptor::Waiter::TryAtOnce() {
  if (descriptor_->may(direction_) && !descriptor_->loop_.MayGoOn()) return false;
  return Try();
}

void Descriptor::Waiter::Wait(std::coroutine_handle<> task) {
  Waiter*& slot = descriptor_->waiter(direction_);
  assert(slot == nullptr);
  slot = this;
  task_ = task;
  if (descriptor_->may(direction_)) descriptor_->loop_.MakeReadyLast(*descriptor_);
}

int NonBlocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

}  // namespace sallyport::agent
