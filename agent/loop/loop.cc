#include "agent/loop/loop.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <coroutine>
#include <exception>
#include <utility>

namespace sallyport::agent {
namespace {

using Timer = net::basic_waitable_timer<std::chrono::steady_clock,
                                        net::wait_traits<std::chrono::steady_clock>, Executor>;

// The bottom of a chain: a coroutine that owns the task and itself.
class Bottom {
 public:
  class promise_type {
   public:
    promise_type(net::io_context& context, Task<void>&)
        : context_(context),
          chain_(context.get_executor(), std::coroutine_handle<promise_type>::from_promise(*this)) {
    }
    static void* operator new(std::size_t bytes) { return FrameMemory::Allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) {
      FrameMemory::Free(memory, bytes);
    }
    Bottom get_return_object() {
      return Bottom(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    // It leaves Loop::Run, from a handler of its own: this frame ends as any other.
    void unhandled_exception() {
      net::post(context_, [error = std::current_exception()] { std::rethrow_exception(error); });
    }
    TaskChain& chain() { return chain_; }

   private:
    net::io_context& context_;
    TaskChain chain_;
  };

  // Starts it.
  void operator()() { std::exchange(frame_, {}).resume(); }

  explicit Bottom(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Bottom(Bottom&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Bottom(const Bottom&) = delete;
  ~Bottom() {
    if (frame_) frame_.destroy();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

Bottom RunAlone(net::io_context&, Task<void> task) { co_await std::move(task); }

// More than what is ready of some dozens of calls takes. Under a load that never pauses something
// is always ready, and whoever waits for the turn's end would wait as long.
constexpr std::chrono::microseconds kLongestTurn{250};

}  // namespace

struct Loop::Ticker {
  Ticker(Executor executor, std::chrono::nanoseconds every, std::function<void()> run)
      : timer(executor), period(every), tick(std::move(run)) {}

  void Arm() {
    timer.expires_after(period);
    timer.async_wait([this](boost::system::error_code error) {
      if (error) return;
      tick();
      Arm();
    });
  }

  Timer timer;
  std::chrono::nanoseconds period;
  std::function<void()> tick;
};

Loop::Loop() : context_(1), work_(context_.get_executor()) {}
Loop::~Loop() = default;

void Loop::Spawn(Task<void> task) { net::dispatch(context_, RunAlone(context_, std::move(task))); }

void Loop::OnTurnEnd(std::function<void()> hook) { turn_end_.push_back(std::move(hook)); }

void Loop::Every(absl::Duration period, std::function<void()> tick) {
  tickers_.push_back(
      std::make_unique<Ticker>(executor(), absl::ToChronoNanoseconds(period), std::move(tick)));
  tickers_.back()->Arm();
}

void Loop::Post(absl::AnyInvocable<void()> work) { net::post(context_, std::move(work)); }

void Loop::Run() {
  using Clock = std::chrono::steady_clock;
  // A turn begins when the first handler is run, and run_one sleeps before it runs one. What it
  // runs is a small part of a turn that is long.
  while (context_.run_one() > 0) {
    const Clock::time_point began = Clock::now();
    while (context_.poll_one() > 0 && Clock::now() - began < kLongestTurn) continue;
    for (auto& hook : turn_end_) hook();
    turns_.Add(Clock::now() - began);
  }
}

void Loop::Stop() { context_.stop(); }

}  // namespace sallyport::agent
