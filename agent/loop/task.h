#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "agent/loop/frame_memory.h"
#include "agent/loop/runnable.h"

namespace sallyport::agent {

class Loop;
template <class T = void>
class Task;

// The tasks that one spawned task waits in, from its bottom to the one that is suspended: they go
// on together and, when the loop goes away, they end together.
class TaskChain final : public Runnable {
 public:
  TaskChain(Loop& loop, std::coroutine_handle<> bottom) : loop_(loop), bottom_(bottom) {}

  // From here on the loop ends it, if it does not end by itself.
  void Begin();
  // What it waits for will never happen. Its frames are destroyed by the loop and not here, for the
  // caller may hold what they use.
  void Abandon();

 private:
  void Run() override { bottom_.destroy(); }
  void Drop() override { bottom_.destroy(); }

  Loop& loop_;
  std::coroutine_handle<> bottom_;
};

template <class Result>
class Resume;

namespace internal {

// In the frame of a suspended task. It and the Resume know each other, whichever goes first.
template <class Result>
struct Suspended {
  Suspended() = default;
  Suspended(const Suspended&) = delete;
  ~Suspended() {
    if (resume != nullptr) resume->suspended_ = nullptr;
  }
  std::coroutine_handle<> task;
  TaskChain* chain = nullptr;
  Resume<Result>* resume = nullptr;
  std::optional<Result> result;
};

}  // namespace internal

// Resumes a suspended task with a result, once. Destroyed without that, it abandons the task's
// whole chain. On the loop's thread.
template <class Result>
class Resume {
 public:
  explicit Resume(internal::Suspended<Result>& suspended) : suspended_(&suspended) {
    suspended.resume = this;
  }
  Resume(Resume&& other) noexcept : suspended_(std::exchange(other.suspended_, nullptr)) {
    if (suspended_ != nullptr) suspended_->resume = this;
  }
  Resume& operator=(Resume&& other) noexcept {
    std::swap(suspended_, other.suspended_);
    if (suspended_ != nullptr) suspended_->resume = this;
    if (other.suspended_ != nullptr) other.suspended_->resume = &other;
    return *this;
  }
  ~Resume() {
    if (suspended_ == nullptr) return;
    suspended_->resume = nullptr;
    suspended_->chain->Abandon();
  }

  template <class... Args>
  void operator()(Args&&... args) {
    internal::Suspended<Result>& suspended = *std::exchange(suspended_, nullptr);
    suspended.resume = nullptr;
    suspended.result.emplace(std::forward<Args>(args)...);
    suspended.task.resume();
  }

 private:
  friend struct internal::Suspended<Result>;
  internal::Suspended<Result>* suspended_;
};

// Suspends the awaiting task and gives its Resume<Result> to `start`, which keeps it, and does not
// call it before it returns. No frame of its own.
template <class Result, class Start>
class [[nodiscard]] Suspend {
 public:
  explicit Suspend(Start start) : start_(std::move(start)) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> task) {
    suspended_.task = task;
    suspended_.chain = &task.promise().chain();
    start_(Resume<Result>(suspended_));
  }
  Result await_resume() { return *std::move(suspended_.result); }

 private:
  Start start_;
  internal::Suspended<Result> suspended_;
};
template <class Result, class Start>
Suspend<Result, Start> SuspendFor(Start start) {
  return Suspend<Result, Start>(std::move(start));
}

namespace internal {

class PromiseBase {
 public:
  static void* operator new(std::size_t bytes) { return FrameMemory::Allocate(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { FrameMemory::Free(memory, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  auto final_suspend() noexcept {
    struct GoOn {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<>) noexcept { return next; }
      void await_resume() noexcept {}
      std::coroutine_handle<> next;
    };
    return GoOn{awaiting_};
  }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  TaskChain& chain() { return *chain_; }
  void AwaitedBy(std::coroutine_handle<> awaiting, TaskChain& chain) {
    awaiting_ = awaiting;
    chain_ = &chain;
  }

 protected:
  void Rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::coroutine_handle<> awaiting_;
  TaskChain* chain_ = nullptr;
  std::exception_ptr exception_;
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T Take() {
    Rethrow();
    return *std::move(value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void Take() { Rethrow(); }
};

}  // namespace internal

// A coroutine on the loop's thread. It starts when it is awaited and belongs to who holds it; one
// that nobody waits for is given to Loop::Spawn. Parameters are values, or references to what the
// awaiter owns; never a capturing lambda.
//
// A function that returns a task need not be a coroutine: where nothing has to be waited for it
// returns `Task(value)` (`Task<void>()`), which costs no frame.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::Promise<T>;

  // Done already.
  explicit Task(T value) : value_(std::move(value)) {}
  // With what a T is made of.
  template <class U>
    requires(std::is_constructible_v<T, U> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Task>)
  explicit Task(U&& value) : value_(std::forward<U>(value)) {}
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept
      : frame_(std::exchange(other.frame_, {})), value_(std::move(other.value_)) {}
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return !frame_; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) {
    frame_.promise().AwaitedBy(awaiting, awaiting.promise().chain());
    return frame_;
  }
  T await_resume() { return frame_ ? frame_.promise().Take() : *std::move(value_); }

 private:
  std::coroutine_handle<promise_type> frame_;
  std::optional<T> value_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  using promise_type = internal::Promise<void>;

  // Done already.
  Task() = default;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return !frame_; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) {
    frame_.promise().AwaitedBy(awaiting, awaiting.promise().chain());
    return frame_;
  }
  void await_resume() {
    if (frame_) frame_.promise().Take();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

namespace internal {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace internal
}  // namespace sallyport::agent
