#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/loop/durations.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The one thread that carries calls. Everything of a connection, a session or an upstream lives on
// it, so none of it locks; other threads (gRPC's, the committer's) reach it through Post alone.
//
// The loop works in turns: it sleeps until something is ready, runs all that is ready, for about a
// millisecond at most, and then ends the turn. What ends with the turn (writing the records that
// its calls appended, in one write) registers with OnTurnEnd.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  net::io_context& context() { return context_; }
  Executor executor() { return context_.get_executor(); }

  // Starts a coroutine that nobody waits for. An exception out of it is a bug of ours and ends the
  // program.
  void Spawn(Task<void> task);

  // Runs `hook` at the end of each turn, in the order of registration. A hook may resume
  // coroutines; what they start is part of the next turn, except what they hand to a later hook.
  // Not after Run has begun.
  void OnTurnEnd(std::function<void()> hook);

  // Runs `tick` each `period`, first after one: the coarse sweeps for idle and deadline limits,
  // instead of a timer for each operation. Lives as long as the loop.
  void Every(absl::Duration period, std::function<void()> tick);

  // Thread-safe: runs `work` on the loop's thread, in a later turn.
  void Post(absl::AnyInvocable<void()> work);

  // Until Stop.
  void Run();
  // Thread-safe. Run returns after the current turn.
  void Stop();

  // How long turns took: what became ready in one may have waited so long.
  const Durations& turns() const { return turns_; }

 private:
  struct Ticker;

  net::io_context context_;
  net::executor_work_guard<Executor> work_;
  std::vector<std::function<void()>> turn_end_;
  std::vector<std::unique_ptr<Ticker>> tickers_;
  Durations turns_;
};

}  // namespace sallyport::agent
