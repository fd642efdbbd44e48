#include "agent/record/group_commit.h"

#include "common/log.h"
#include "common/turns.h"

namespace sallyport::agent {

GroupCommit::~GroupCommit() {
  alive_.reset();
  Flush().IgnoreError();
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  if (committer_.joinable()) committer_.join();
}

void GroupCommit::StartCommitter() {
  committer_ = std::thread([this, alive = std::weak_ptr<bool>(alive_)] { RunCommitter(alive); });
}

void GroupCommit::WriteDenials() {
  if (!denials_.has_pending()) return;
  denial_reuse_ = denials_.TakePending(std::move(denial_reuse_));
  const absl::Status written = denials_.Write(denial_reuse_);
  if (!written.ok() && !std::exchange(failure_logged_, true))
    LogError("denials_not_recorded", {{"status", written}});
}

void GroupCommit::Release(std::vector<Waiting>& waiting, bool durable, Steady::time_point now) {
  for (const Waiting& one : waiting) timings_.wait.Add(now - one.since);
  for (Waiting& one : waiting) std::move(one.resume)(durable);
  waiting.clear();
}

void GroupCommit::CountCommit(const SpoolBatch& batch, Steady::duration took) {
  timings_.commit.Add(took);
  timings_.commit_bytes += batch.bytes();
}

void GroupCommit::EndTurn() {
  // What goes on here may append again, and nothing else may be ready: no turn would end for it.
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) {
    WriteDenials();
    if (!sessions_.has_pending() && waiting_.empty()) return;
    if (committer_.joinable()) {
      HandOver();
      return;
    }
    reuse_ = sessions_.TakePending(std::move(reuse_));
    const Steady::time_point began = Steady::now();
    absl::Status written = sessions_.Write(reuse_);
    const Steady::time_point ended = Steady::now();
    CountCommit(reuse_, ended - began);
    if (!written.ok() && !std::exchange(failure_logged_, true))
      LogError("recorder_failed", {{"status", written}});
    released_.swap(waiting_);
    Release(released_, written.ok(), ended);
  }
  loop_.Post([] {});
}

// Gives the committer what is pending, unless it has something: its end calls this again.
void GroupCommit::HandOver() {
  if (is_committing_ || (!sessions_.has_pending() && waiting_.empty())) return;
  is_committing_ = true;
  committing_ = std::exchange(waiting_, {});
  {
    std::lock_guard lock(mutex_);
    batch_ = sessions_.TakePending(std::move(batch_));
    has_batch_ = true;
  }
  work_.notify_one();
}

void GroupCommit::RunCommitter(const std::weak_ptr<bool>& alive) {
  AskForShortTurns();
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || has_batch_; });
    if (!has_batch_) return;
    lock.unlock();
    const Steady::time_point began = Steady::now();
    absl::Status written = sessions_.Write(batch_);
    const Steady::duration took = Steady::now() - began;
    lock.lock();
    has_batch_ = false;
    idle_.notify_all();
    loop_.Post([this, alive, ok = written.ok(), took] {
      if (!alive.expired()) Committed(ok, took);
    });
  }
}

void GroupCommit::Committed(bool durable, Steady::duration took) {
  // Until the next batch the loop's thread alone has it.
  CountCommit(batch_, took);
  if (!durable && !std::exchange(failure_logged_, true))
    LogError("recorder_failed", {{"status", sessions_.status()}});
  // The disk first: it works on while the loop does what these go on with.
  std::vector<Waiting> durable_now = std::exchange(committing_, {});
  is_committing_ = false;
  HandOver();
  Release(durable_now, durable, loop_.now());
}

absl::Status GroupCommit::Flush() {
  denials_.Write(denials_.TakePending()).IgnoreError();
  if (committer_.joinable()) {
    // The batch that the committer holds was appended first.
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !has_batch_; });
  }
  return sessions_.Write(sessions_.TakePending());
}

}  // namespace sallyport::agent
