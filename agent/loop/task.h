#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "agent/loop/frame_memory.h"

namespace sallyport::agent {

namespace net = boost::asio;

// The concrete executor everywhere: any_io_executor costs a tenth of the call path.
using Executor = net::io_context::executor_type;

template <class T = void>
class Task;

// The tasks that one spawned task waits in, from its bottom to the one that is suspended: they go
// on together and, when the loop goes away, they end together.
class TaskChain {
 public:
  TaskChain(Executor executor, std::coroutine_handle<> bottom)
      : executor_(std::move(executor)), bottom_(bottom) {}
  TaskChain(const TaskChain&) = delete;
  TaskChain& operator=(const TaskChain&) = delete;

  // What the chain waits for will never happen. Its frames are destroyed by the loop and not here,
  // for the caller may hold what they use.
  void Abandon() {
    struct Destroyed {
      explicit Destroyed(std::coroutine_handle<> frame) : handle(frame) {}
      Destroyed(Destroyed&& other) noexcept : handle(std::exchange(other.handle, {})) {}
      Destroyed(const Destroyed&) = delete;
      ~Destroyed() {
        if (handle) handle.destroy();
      }
      void operator()() const {}
      std::coroutine_handle<> handle;
    };
    net::post(executor_, Destroyed(bottom_));
  }

 private:
  Executor executor_;
  std::coroutine_handle<> bottom_;
};

// Resumes a suspended task with a result, once. Destroyed without that, it abandons the task's
// whole chain. On the loop's thread.
template <class Result>
class Resume {
 public:
  using allocator_type = FrameAllocator<void>;

  Resume(std::coroutine_handle<> task, TaskChain& chain, std::optional<Result>& result)
      : task_(task), chain_(&chain), result_(&result) {}
  Resume(Resume&& other) noexcept
      : task_(std::exchange(other.task_, {})), chain_(other.chain_), result_(other.result_) {}
  Resume& operator=(Resume&& other) noexcept {
    std::swap(task_, other.task_);
    std::swap(chain_, other.chain_);
    std::swap(result_, other.result_);
    return *this;
  }
  ~Resume() {
    if (task_) chain_->Abandon();
  }

  allocator_type get_allocator() const { return {}; }

  template <class... Args>
  void operator()(Args&&... args) {
    result_->emplace(std::forward<Args>(args)...);
    std::exchange(task_, {}).resume();
  }

 private:
  std::coroutine_handle<> task_;
  TaskChain* chain_;
  std::optional<Result>* result_;
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
    start_(Resume<Result>(task, task.promise().chain(), result_));
  }
  Result await_resume() { return *std::move(result_); }

 private:
  Start start_;
  std::optional<Result> result_;
};
template <class Result, class Start>
Suspend<Result, Start> SuspendFor(Start start) {
  return Suspend<Result, Start>(std::move(start));
}

// For Asio's operations: they complete with (error_code, ...) as a tuple, and nothing throws.
struct AsTuple {};
inline constexpr AsTuple kAsTuple;

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

template <class... Results>
class boost::asio::async_result<sallyport::agent::AsTuple, void(Results...)> {
 public:
  template <class Initiation, class... Args>
  static auto initiate(Initiation&& initiation, sallyport::agent::AsTuple, Args&&... args) {
    using Result = std::tuple<std::decay_t<Results>...>;
    return sallyport::agent::SuspendFor<Result>(
        [initiation = std::forward<Initiation>(initiation),
         ... args = std::forward<Args>(args)](sallyport::agent::Resume<Result> resume) mutable {
          std::move(initiation)(std::move(resume), std::move(args)...);
        });
  }
};
