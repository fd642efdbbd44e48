#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"
#include "agent/upstream/child_supervisor.h"

namespace sallyport::agent {

// Spawns children in a thread of its own: a clone of a large process takes milliseconds, in which
// no call would move.
class Spawner {
 public:
  explicit Spawner(Loop& loop);
  // Children that were still to be spawned are not; who waits for them waits no more (the loop has
  // ended).
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  // As SpawnChild. The plan's environment is wiped when it is done.
  Task<absl::StatusOr<SpawnedChild>> Spawn(SpawnPlan plan);

 private:
  struct Job;
  void Run();

  Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sallyport::agent
