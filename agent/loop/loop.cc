#include "agent/loop/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "agent/loop/descriptor.h"
#include "common/turns.h"

namespace sallyport::agent {
namespace {

using Clock = std::chrono::steady_clock;

// More than what is ready of some dozens of calls takes. Under a load that never pauses something
// is always ready, and whoever waits for the turn's end would wait as long.
constexpr std::chrono::microseconds kLongestTurn{100};
// A look at the clock takes some 30 ns, and most of what runs is over in a few microseconds.
constexpr int kRunBetweenLooks = 4;
constexpr std::size_t kEvents = 128;
constexpr int kForEver = -1;

thread_local const Loop* running = nullptr;

class Running {
 public:
  Running(const Loop* loop, bool& is_running)
      : before_(std::exchange(running, loop)), is_running_(is_running) {
    is_running_ = true;
  }
  ~Running() {
    running = before_;
    is_running_ = false;
  }
  Running(const Running&) = delete;

 private:
  const Loop* before_;
  bool& is_running_;
};

// The bottom of a chain: a coroutine that owns the task and itself.
class Bottom {
 public:
  class promise_type {
   public:
    promise_type(Loop& loop, std::exception_ptr& failure, Task<void>&)
        : chain_(loop, std::coroutine_handle<promise_type>::from_promise(*this)),
          failure_(failure) {}
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
    void unhandled_exception() { failure_ = std::current_exception(); }
    TaskChain& chain() { return chain_; }

   private:
    TaskChain chain_;
    std::exception_ptr& failure_;
  };

  // Starts it.
  void operator()() {
    const auto frame = std::exchange(frame_, {});
    frame.promise().chain().Begin();
    frame.resume();
  }

  explicit Bottom(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Bottom(Bottom&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Bottom(const Bottom&) = delete;
  ~Bottom() {
    if (frame_) frame_.destroy();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

Bottom RunAlone(Loop&, std::exception_ptr&, Task<void> task) {
  // So that its frames go before the chain does.
  Task<void> above = std::move(task);
  co_await above;
}

}  // namespace

void TaskChain::Begin() { loop_.tasks_.PushBack(*this); }
void TaskChain::Abandon() { loop_.MakeReady(*this); }

class Loop::Ticker final : public Runnable {
 public:
  Ticker(Loop& loop, absl::Duration period, std::function<void()> tick)
      : timer_(loop), period_(period), tick_(std::move(tick)) {
    timer_.Start(period_, *this);
  }

 private:
  void Run() override {
    tick_();
    timer_.Start(period_, *this);
  }

  Timer timer_;
  const absl::Duration period_;
  const std::function<void()> tick_;
};

void Timer::Start(absl::Duration from_now, Runnable& runnable) {
  Stop();
  // A time that the clock cannot tell never comes.
  constexpr absl::Duration kLongest = absl::Hours(24 * 365 * 100);
  if (from_now > kLongest) return;
  runnable_ = &runnable;
  place_ = loop_.timers_.emplace(Clock::now() + absl::ToChronoNanoseconds(from_now), this);
}

void Timer::Stop() {
  if (std::exchange(runnable_, nullptr) != nullptr) loop_.timers_.erase(place_);
}

Loop::Loop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), interrupt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // Without them there is no program, and nobody yet who could be told.
  if (epoll_ < 0 || interrupt_ < 0) std::abort();
  std::signal(SIGPIPE, SIG_IGN);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, interrupt_, &event) != 0) std::abort();
}

Loop::~Loop() {
  for (std::thread& thread : elsewhere_) thread.join();
  // What goes may post, spawn and make ready.
  for (;;) {
    const auto dropped = std::exchange(posted_, {});
    Runnable* next = ready_.PopFront();
    if (next == nullptr) next = ready_last_.PopFront();
    if (next == nullptr) next = tasks_.PopFront();
    if (next != nullptr) {
      next->Drop();
    } else if (dropped.empty()) {
      break;
    }
  }
  turn_end_.clear();
  tickers_.clear();
  close(interrupt_);
  close(epoll_);
}

void Loop::Spawn(Task<void> task) {
  Bottom bottom = RunAlone(*this, failure_, std::move(task));
  if (running == this) {
    bottom();
  } else {
    Post(std::move(bottom));
  }
}

void Loop::OnTurnEnd(std::function<void()> hook) { turn_end_.push_back(std::move(hook)); }

void Loop::Every(absl::Duration period, std::function<void()> tick) {
  tickers_.push_back(std::make_unique<Ticker>(*this, period, std::move(tick)));
}

void Loop::Post(absl::AnyInvocable<void()> work) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    has_posted_ = true;
  }
  Interrupt();
}

void Loop::RunElsewhere(absl::AnyInvocable<void()> blocking, absl::AnyInvocable<void()> done) {
  std::lock_guard lock(mutex_);
  elsewhere_.emplace_back([this, blocking = std::move(blocking), done = std::move(done)]() mutable {
    blocking();
    blocking = nullptr;
    Post([this, id = std::this_thread::get_id(), done = std::move(done)]() mutable {
      JoinElsewhere(id);
      done();
    });
  });
}

void Loop::JoinElsewhere(std::thread::id id) {
  std::thread ended;
  {
    std::lock_guard lock(mutex_);
    const auto place = std::find_if(elsewhere_.begin(), elsewhere_.end(),
                                    [&](const std::thread& one) { return one.get_id() == id; });
    ended = std::move(*place);
    elsewhere_.erase(place);
  }
  ended.join();
}

void Loop::Interrupt() {
  if (!is_asleep_.exchange(false)) return;
  const std::uint64_t one = 1;
  // It never blocks: nobody reads the counter, and it cannot get full.
  (void)!write(interrupt_, &one, sizeof one);
}

void Loop::Watch(int fd, Descriptor& descriptor, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.ptr = &descriptor}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return;
  // For want of memory, or of watches that one user may have: as if it were closed at once.
  close(std::exchange(descriptor.fd_, -1));
}

void Loop::Forget(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void Loop::Poll(int timeout_ms) {
  std::array<epoll_event, kEvents> events;
  const int n = epoll_wait(epoll_, events.data(), kEvents, timeout_ms);
  // Nothing of ours runs in between, so all of them are still there.
  for (int i = 0; i < n; ++i) {
    if (auto* descriptor = static_cast<Descriptor*>(events[i].data.ptr)) {
      descriptor->Note(events[i].events);
    }
  }
}

void Loop::Sleep() {
  is_asleep_ = true;
  int timeout_ms = kForEver;
  if (has_posted_ || is_stopped_) {
    timeout_ms = 0;
  } else if (!timers_.empty()) {
    // Never early.
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
  }
  Poll(timeout_ms);
  is_asleep_ = false;
}

void Loop::Expire() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    Timer& timer = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    MakeReady(*std::exchange(timer.runnable_, nullptr));
  }
}

void Loop::RunPosted() {
  std::vector<absl::AnyInvocable<void()>> posted;
  {
    std::lock_guard lock(mutex_);
    posted.swap(posted_);
    has_posted_ = false;
  }
  in_a_row_ = 0;
  for (auto& work : posted) {
    Next();
    work();
  }
}

Runnable& Loop::TakeReady() {
  if (!ready_.empty() && (ready_last_.empty() || ++ahead_ <= kMostAhead)) return *ready_.PopFront();
  ahead_ = 0;
  return *ready_last_.PopFront();
}

void Loop::Turn(bool may_sleep) {
  if (may_sleep && is_idle()) {
    Sleep();
  } else {
    Poll(0);
  }
  const Time began = now_ = Clock::now();
  Expire();
  const auto is_long = [&] { return (now_ = Clock::now()) - began >= kLongestTurn; };
  for (bool goes_on = true; goes_on;) {
    if (has_posted_) RunPosted();
    for (int run = 1; goes_on && !is_idle(); ++run) {
      Next();
      in_a_row_ = 0;
      TakeReady().Run();
      goes_on = failure_ == nullptr && (run % kRunBetweenLooks != 0 || !is_long());
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    // What has become ready meanwhile is part of it: the more there is in a turn, the fewer writes.
    if (goes_on) Poll(0);
    goes_on = goes_on && (has_posted_ || !is_idle()) && !is_long();
  }
  Next();
  in_a_row_ = 0;
  for (auto& hook : turn_end_) hook();
  now_ = Clock::now();
  turns_.Add(now_ - began);
}

void Loop::Run() {
  const Running here(this, is_running_);
  AskForShortTurns();
  do {
    Turn(true);
  } while (!is_stopped_);
  is_stopped_ = false;
}

void Loop::RunReady() {
  const Running here(this, is_running_);
  Turn(false);
}

void Loop::Stop() {
  is_stopped_ = true;
  Interrupt();
}

}  // namespace sallyport::agent
