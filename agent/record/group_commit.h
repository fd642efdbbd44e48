#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"
#include "agent/record/recorder.h"
#include "agent/record/spool.h"

namespace sallyport::agent {

// Makes what a turn of the loop has appended durable in one write, and lets those go on who wait
// for it; or hands it to a thread of its own, which writes and syncs group after group. All of it
// on the loop's thread but for that.
class GroupCommit {
 public:
  // Both spools outlive this. What is appended to `denials` is written and never waited for.
  GroupCommit(Loop& loop, Spool& sessions, Spool& denials)
      : loop_(loop), sessions_(sessions), denials_(denials) {}
  // Writes what is pending.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // From now on the thread writes.
  void StartCommitter();

  // Suspends until what has been appended to `sessions` is durable. False: it never will be.
  auto Durable() {
    return SuspendFor<bool>([this](Resume<bool> resume) {
      waiting_.push_back({std::move(resume), loop_.now()});
    });
  }
  void EndTurn();
  // Writes what is pending in the caller's thread, behind what the committer has.
  absl::Status Flush();

  const RecorderTimings& timings() const { return timings_; }

 private:
  using Steady = std::chrono::steady_clock;
  struct Waiting {
    Resume<bool> resume;
    Steady::time_point since;
  };

  void WriteDenials();
  void HandOver();
  // Lets them go on; `waiting` is empty then.
  void Release(std::vector<Waiting>& waiting, bool durable, Steady::time_point now);
  void CountCommit(const SpoolBatch& batch, Steady::duration took);
  void Committed(bool durable, Steady::duration took);
  void RunCommitter(const std::weak_ptr<bool>& alive);

  Loop& loop_;
  Spool& sessions_;
  Spool& denials_;
  RecorderTimings timings_;
  bool failure_logged_ = false;

  std::vector<Waiting> waiting_;
  std::vector<Waiting> released_;  // memory, kept
  SpoolBatch reuse_;
  SpoolBatch denial_reuse_;

  // One batch at a time is with the committer, until the loop has heard of its end, and these wait
  // for it.
  bool is_committing_ = false;
  std::vector<Waiting> committing_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  SpoolBatch batch_;
  bool has_batch_ = false;
  bool stop_ = false;
  std::thread committer_;

  // What is posted to the loop may run after we are gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sallyport::agent
