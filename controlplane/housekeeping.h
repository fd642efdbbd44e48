#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

// What must be done from time to time, on one thread: each chore about once a second, in order. A
// chore that fails is logged and tried again.
class Housekeeping {
 public:
  struct Chore {
    std::string name;
    std::function<absl::Status()> run;
  };
  explicit Housekeeping(std::vector<Chore> chores);
  // Waits for the chore that is being done.
  ~Housekeeping();
  Housekeeping(const Housekeeping&) = delete;
  Housekeeping& operator=(const Housekeeping&) = delete;

 private:
  void Run();
  // False: stop.
  bool Pause();

  const std::vector<Chore> chores_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sallyport::controlplane
