#pragma once

#include <coroutine>
#include <deque>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/loop/runnable.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Something that has happened or not, for any number of waiting coroutines of one loop. Not
// thread-safe. Waiters are resumed by the loop, never inside Set, so Set may be called from
// anywhere on the loop.
class Signal {
 public:
  class [[nodiscard]] Waiting;

  explicit Signal(Loop& loop) : loop_(loop) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  // Wakes who still waits. The waiting coroutines must not touch the signal's owner afterwards.
  ~Signal() { Set(); }

  // Stays set until Reset; wakes all waiters. Setting twice is setting once.
  void Set();
  void Reset() { is_set_ = false; }
  bool is_set() const { return is_set_; }

  // Awaits true when set; false when `timeout` (CLOCK_MONOTONIC, absl::InfiniteDuration() for none)
  // passed first.
  Waiting Wait(absl::Duration timeout = absl::InfiniteDuration());

 private:
  Loop& loop_;
  bool is_set_ = false;
  RunList waiting_;
};

class Signal::Waiting final : private Runnable {
 public:
  Waiting(Signal& signal, absl::Duration timeout)
      : signal_(signal), timeout_(timeout), timer_(signal.loop_) {}

  bool await_ready() { return is_woken_ = signal_.is_set_; }
  void await_suspend(std::coroutine_handle<> task);
  bool await_resume() const { return is_woken_; }

 private:
  friend class Signal;
  void Run() override { task_.resume(); }

  Signal& signal_;
  const absl::Duration timeout_;
  Timer timer_;
  bool is_woken_ = false;
  std::coroutine_handle<> task_;
};

inline Signal::Waiting Signal::Wait(absl::Duration timeout) { return Waiting(*this, timeout); }

// Suspends for `duration`. Not for the call path: see Loop::Every.
Task<void> Sleep(Loop& loop, absl::Duration duration);

// Suspends until all that is ready has had its turn.
class [[nodiscard]] GiveWay final : private Runnable {
 public:
  explicit GiveWay(Loop& loop) : loop_(loop) {}

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> task) {
    task_ = task;
    loop_.MakeReadyLast(*this);
  }
  void await_resume() const {}

 private:
  void Run() override { task_.resume(); }

  Loop& loop_;
  std::coroutine_handle<> task_;
};

// Messages from one producer side to one consumer coroutine, on one loop. Not thread-safe.
// Unbounded: whoever pushes keeps the bound (stop reading from the peer while `size()` is too
// large).
template <class T>
class Queue {
 public:
  explicit Queue(Loop& loop) : ready_(loop), room_(loop) {}

  void Push(T value) {
    if (closed_) return;
    items_.push_back(std::move(value));
    ready_.Set();
  }
  // What is queued can still be popped.
  void Close() {
    closed_ = true;
    ready_.Set();
    room_.Set();
  }
  bool is_closed() const { return closed_; }
  std::size_t size() const { return items_.size(); }

  // The next message; nullopt when the queue is closed and empty, or `timeout` passed.
  Task<std::optional<T>> Pop(absl::Duration timeout = absl::InfiniteDuration()) {
    if (items_.empty() && !closed_) {
      ready_.Reset();
      co_await ready_.Wait(timeout);
    }
    if (items_.empty()) co_return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    room_.Set();
    co_return value;
  }
  // Suspends the producer until fewer than `limit` messages wait, or the queue is closed.
  Task<void> WaitForRoom(std::size_t limit) {
    while (items_.size() >= limit && !closed_) {
      room_.Reset();
      co_await room_.Wait();
    }
  }

 private:
  std::deque<T> items_;
  bool closed_ = false;
  Signal ready_;
  Signal room_;
};

}  // namespace sallyport::agent
