#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "agent/loop/signal.h"

namespace sallyport::agent {

class HeldTask;

// The tasks that stand for calls of one session. On the loop's thread.
class HeldTasks {
 public:
  HeldTasks();
  ~HeldTasks();
  HeldTasks(const HeldTasks&) = delete;
  HeldTasks& operator=(const HeldTasks&) = delete;

  // Whether there is room for one more: at most 64 are open.
  bool HasRoom() const;
  HeldTask& Add(std::unique_ptr<HeldTask> task);
  // Null: there is none of that id.
  HeldTask* Find(std::string_view id) const;
  // Some task's client has not got its result, nor taken it back.
  bool has_unsettled() const;

  // Forgets what is over: after its time, and the oldest where results are more than 64 or 32 MiB.
  void Sweep(absl::Time now);

  // Sets `changed` at each change of a task, for as long as it lives.
  class Listener {
   public:
    Listener(HeldTasks& tasks, Signal& changed);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

   private:
    HeldTasks& tasks_;
    Signal& changed_;
  };
  // A task has changed.
  void Changed();

 private:
  // In the order of their coming.
  std::vector<std::unique_ptr<HeldTask>> tasks_;
  std::vector<Signal*> listeners_;
};

}  // namespace sallyport::agent
