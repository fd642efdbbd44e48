#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/loop/durations.h"
#include "agent/loop/runnable.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

class Descriptor;
class Timer;

// The one thread that carries calls. Everything of a connection, a session or an upstream lives on
// it, so none of it locks; other threads (gRPC's, the committer's) reach it through Post alone.
//
// The loop works in turns: it sleeps until something is ready, runs all that is ready, for about a
// tenth of a millisecond at most, and then ends the turn. What ends with the turn (writing the
// records that its calls appended, in one write) registers with OnTurnEnd.
class Loop {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A peer that has gone is an error of the write to it and no signal: ignores SIGPIPE.
  Loop();
  // Destroys the tasks that still wait.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Starts a coroutine that nobody waits for; on the loop's thread at once, elsewhere as Post does.
  // An exception out of it is a bug of ours and leaves Run.
  void Spawn(Task<void> task);

  // Runs `hook` at the end of each turn, in the order of registration. A hook may resume
  // coroutines; what they start is part of the next turn, except what they hand to a later hook.
  // Not after Run has begun.
  void OnTurnEnd(std::function<void()> hook);

  // Runs `tick` each `period`, first after one: the coarse sweeps for idle and deadline limits,
  // instead of a timer for each operation. Lives as long as the loop.
  void Every(absl::Duration period, std::function<void()> tick);

  // Thread-safe: runs `work` on the loop's thread, never inside Post.
  void Post(absl::AnyInvocable<void()> work);

  // Thread-safe. Runs `blocking` on a thread of its own, which is waited for when the loop goes,
  // and then posts `done`.
  void RunElsewhere(absl::AnyInvocable<void()> blocking, absl::AnyInvocable<void()> done);

  // Until Stop. May be called again.
  void Run();
  // One turn that does not sleep.
  void RunReady();
  // Thread-safe. Run returns after the current turn.
  void Stop();

  // When the loop last looked at the clock, which it does at each turn's begin and after every few
  // things that it runs: as long ago as those have taken. On the loop's thread, while it runs.
  Time now() const { return now_; }
  // Another one for each thing that the loop runs; 0 while it does not run.
  std::uint64_t moment() const { return is_running_ ? moment_ : 0; }

  // How long turns took: what became ready in one may have waited so long.
  const Durations& turns() const { return turns_; }

  // For what coroutines wait in; on the loop's thread.

  // Runs it in this turn or the next, never inside MakeReady. Takes it out of the list it is in.
  void MakeReady(Runnable& runnable) { ready_.PushBack(runnable); }
  // As MakeReady, when nothing else is ready: what peers have sent, so that what has begun goes on
  // before anything new begins, and a peer that never pauses keeps nobody waiting. What has begun
  // may never come to an end: so much of it later it runs all the same.
  void MakeReadyLast(Runnable& runnable) { ready_last_.PushBack(runnable); }
  // Whether what can be done at once may be: not too often in a row, so that a peer that never
  // pauses does not keep the loop to itself.
  bool MayGoOn() { return ++in_a_row_ <= kMostInARow; }

 private:
  friend class Descriptor;
  friend class TaskChain;
  friend class Timer;
  class Ticker;
  using Timers = std::multimap<Time, Timer*>;

  static constexpr int kMostInARow = 8;
  static constexpr int kMostAhead = 64;

  bool is_idle() const { return ready_.empty() && ready_last_.empty(); }
  Runnable& TakeReady();
  void Watch(int fd, Descriptor& descriptor, std::uint32_t events);
  void Forget(int fd);
  void Turn(bool may_sleep);
  void Sleep();
  // Makes ready what the kernel tells, waiting for it as long as that.
  void Poll(int timeout_ms);
  void Expire();
  // Something else runs now.
  void Next() { ++moment_; }
  void RunPosted();
  void JoinElsewhere(std::thread::id id);
  void Interrupt();

  int epoll_ = -1;
  int interrupt_ = -1;
  RunList ready_;
  RunList ready_last_;
  int ahead_ = 0;  // of ready_, since one of ready_last_ has waited
  RunList tasks_;
  Timers timers_;
  int in_a_row_ = 0;
  Time now_ = std::chrono::steady_clock::now();
  std::uint64_t moment_ = 0;
  bool is_running_ = false;
  std::exception_ptr failure_;
  std::vector<std::function<void()>> turn_end_;
  std::vector<std::unique_ptr<Ticker>> tickers_;
  Durations turns_;

  // What other threads touch.
  std::mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> posted_;
  std::vector<std::thread> elsewhere_;
  std::atomic<bool> has_posted_ = false;
  std::atomic<bool> is_asleep_ = false;
  std::atomic<bool> is_stopped_ = false;
};

// Makes something ready at a time, unless it goes or is stopped before. On the loop's thread.
class Timer {
 public:
  explicit Timer(Loop& loop) : loop_(loop) {}
  ~Timer() { Stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // `runnable` outlives it.
  void Start(absl::Duration from_now, Runnable& runnable);
  void Stop();

 private:
  friend class Loop;
  Loop& loop_;
  Runnable* runnable_ = nullptr;
  Loop::Timers::iterator place_;
};

}  // namespace sallyport::agent
