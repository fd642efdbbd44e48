#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "agent/loop/loop.h"
#include "agent/loop/runnable.h"

namespace sallyport::agent {

// What one attempt at reading, writing, accepting and so on came to.
struct IoResult {
  // Bytes; of a read, 0 is the end.
  std::size_t n = 0;
  // An errno; EAGAIN: nothing could be done yet.
  int error = 0;

  bool ok() const { return error == 0; }
  bool would_block() const { return error == EAGAIN; }
};

// A descriptor that the loop watches, and what is known of it. It is registered once,
// edge-triggered, and what an attempt has found is remembered: one that read less than it had room
// for, or found nothing, is not repeated before the kernel says that there is more. So a wait costs
// no call of the system, and neither does the question whether the peer has gone. On the loop's
// thread.
class Descriptor final : private Runnable {
 public:
  class Waiter;
  enum class Direction : std::uint8_t { kRead, kWrite };

  // Owns `fd`, which does not block. `is_connecting`: it cannot be written to before the kernel
  // says so.
  Descriptor(Loop& loop, int fd, bool is_connecting = false);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  // -1: closed.
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

  // Something has come since a read found nothing more: bytes, the end, or an error. May be wrong
  // in saying so, and never in saying no.
  bool may_read() const { return may_read_; }
  bool may_write() const { return may_write_; }
  bool may(Direction direction) const {
    return direction == Direction::kRead ? may_read_ : may_write_;
  }

  // The kernel has said that the end has come, or an error: bytes that nobody has read may stand
  // before it.
  bool has_ended() const { return has_ended_; }
  // Asks the kernel whether may_read is wrong.
  bool IsEmpty();

  // What can be done at once.
  IoResult Read(char* room, std::size_t size);
  // Of both, in one call.
  IoResult Write(std::string_view first, std::string_view second = {});
  // An attempt of another kind has found that it cannot be done yet.
  void MayNotRead() { may_read_ = false; }

  // Who waits to read, or to write, goes on with ECANCELED, never inside Cancel. The descriptor
  // stays as it is.
  void Cancel(Direction direction);
  // As Cancel for both, and closes it.
  void Close();

 private:
  friend class Loop;

  // The kernel's word.
  void Note(std::uint32_t events);
  void Run() override;
  Waiter*& waiter(Direction direction) { return direction == Direction::kRead ? reader_ : writer_; }

  Loop& loop_;
  int fd_;
  // The kernel's calls for sockets cost less than those for everything.
  const bool is_socket_;
  bool may_read_ = true;
  bool may_write_ = true;
  bool has_ended_ = false;
  // A read that comes up short has not found the end of what there is.
  bool is_short_read_final_ = true;
  Waiter* reader_ = nullptr;
  Waiter* writer_ = nullptr;
};

// A task that waits until something can be done with a descriptor. At most one for each direction.
class Descriptor::Waiter {
 public:
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

 protected:
  Waiter(Descriptor& descriptor, Direction direction)
      : descriptor_(&descriptor), direction_(direction) {}
  ~Waiter();

  // False: it would have to wait.
  bool TryAtOnce();
  void Wait(std::coroutine_handle<> task);

 private:
  friend class Descriptor;
  // Whether it is done, in this way or that. Costs nothing while the descriptor says that it may
  // not.
  virtual bool Try() = 0;
  virtual void BeCancelled() = 0;

  // Null: it has gone.
  Descriptor* descriptor_;
  const Direction direction_;
  bool is_cancelled_ = false;
  std::coroutine_handle<> task_;
};

// Awaits the first IoResult of `attempt` that is more than "not yet". No frame of its own.
template <class Attempt>
class [[nodiscard]] Until final : private Descriptor::Waiter {
 public:
  Until(Descriptor& descriptor, Descriptor::Direction direction, Attempt attempt)
      : Waiter(descriptor, direction), attempt_(std::move(attempt)) {}

  bool await_ready() { return TryAtOnce(); }
  void await_suspend(std::coroutine_handle<> task) { Wait(task); }
  IoResult await_resume() const { return result_; }

 private:
  bool Try() override {
    result_ = attempt_();
    return !result_.would_block();
  }
  void BeCancelled() override { result_ = {.error = ECANCELED}; }

  Attempt attempt_;
  IoResult result_;
};

// Awaits what has come, at least a byte. An n of 0: the end. `room` stays until then.
inline auto ReadSome(Descriptor& descriptor, char* room, std::size_t size) {
  return Until(descriptor, Descriptor::Direction::kRead,
               [&descriptor, room, size] { return descriptor.Read(room, size); });
}
// Awaits that some of `bytes` are written; how many is n.
inline auto WriteSome(Descriptor& descriptor, std::string_view bytes) {
  return Until(descriptor, Descriptor::Direction::kWrite,
               [&descriptor, bytes] { return descriptor.Write(bytes); });
}
// Awaits that there is something to be read, and does not read it.
inline auto Readable(Descriptor& descriptor) {
  return Until(descriptor, Descriptor::Direction::kRead, [&descriptor] {
    return IoResult{.error = descriptor.may_read() && !descriptor.IsEmpty() ? 0 : EAGAIN};
  });
}

// Awaits the end, or an error, and reads nothing of what stands before it.
inline auto Ended(Descriptor& descriptor) {
  return Until(descriptor, Descriptor::Direction::kRead,
               [&descriptor] { return IoResult{.error = descriptor.has_ended() ? 0 : EAGAIN}; });
}

// Makes `fd` one that does not block, and gives it back.
int NonBlocking(int fd);

}  // namespace sallyport::agent
