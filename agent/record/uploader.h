#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/record/set_aside.h"
#include "agent/record/spool.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace sallyport::agent {

struct UploaderOptions {
  // Where what the control plane has refused for good is kept.
  SetAsideOptions set_aside;
  // Told of each recording that it has refused so, once in a run, from the uploader's thread.
  std::function<void(const std::string& recording)> on_refused = [](const std::string&) {};
  // A block is full with this many records; what is there is sent after `max_delay`.
  int block_records = 2048;
  std::size_t block_bytes = std::size_t{4} << 20;
  absl::Duration max_delay = absl::Milliseconds(100);
  // It looks so often while records come, and by and by no oftener than the second.
  absl::Duration poll = absl::Milliseconds(20);
  absl::Duration idle_poll = absl::Milliseconds(100);
  // At most this many blocks without an acknowledgement.
  int window = 16;
  absl::Duration backoff_min = absl::Milliseconds(200);
  absl::Duration backoff_max = absl::Seconds(15);
};

// Ships what the spools hold to the control plane and frees what it acknowledges. A thread of its
// own, which polls, so that no call ever pays for waking it, and runs at idle priority until the
// backlog grows or somebody is in a hurry; where it could not be raised again then, never.
//
// A recording that the control plane refuses for good (common/refused_recording.h) is set aside,
// with an alarm in the log: what the spools hold of it and what is still written goes to its file,
// and what is in the file is freed as if it had been acknowledged. Whatever else is not taken is
// sent again, for ever.
class Uploader {
 public:
  // Asked at each connection attempt, from the uploader's thread; null while there is none.
  // `spools` outlive the uploader.
  using ChannelSource = std::function<std::shared_ptr<grpc::Channel>()>;
  Uploader(std::vector<Spool*> spools, ChannelSource channels, UploaderOptions options = {});
  // Stop(absl::ZeroDuration()).
  ~Uploader();
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;

  // For `time` from now on what is written is shipped at once, at ordinary priority: somebody waits
  // for it at the control plane. Any thread.
  void Hurry(absl::Duration time);

  // Waits until all is acknowledged, at most `drain`, then ends the thread. Idempotent.
  void Stop(absl::Duration drain);

  // For metrics; any thread.
  std::uint64_t acked_blocks() const { return acked_blocks_.load(std::memory_order_relaxed); }
  // As they travelled, packed.
  std::uint64_t acked_block_bytes() const {
    return acked_block_bytes_.load(std::memory_order_relaxed);
  }
  std::uint64_t acked_records() const { return acked_records_.load(std::memory_order_relaxed); }
  // Recordings that lie in the directory for what is set aside, from this run and others.
  std::size_t set_aside() const { return CountSetAside(options_.set_aside.dir); }
  bool is_connected() const { return connected_.load(std::memory_order_relaxed); }
  // A spool cannot be read back: nothing is shipped any more.
  bool is_unreadable() const { return unreadable_.load(std::memory_order_relaxed); }
  // The control plane answers, and does not take what it is sent, or what it has refused cannot be
  // set aside; the log says why.
  bool is_held_up() const { return held_up_.load(std::memory_order_relaxed); }

 private:
  class Stream;

  void Run();
  // What was sent was not taken: said once a minute, it is sent again for ever.
  void NoteNotTaken(const absl::Status& status);
  // Whether `status` refuses a recording that was not refused before.
  bool BeginsSetAside(const absl::Status& status);
  bool Drained() const;
  // Of all spools: what has not been acknowledged.
  std::uint64_t Backlog() const;
  bool Hurries() const;
  void AdjustPriority();
  void SetPriority(bool raised);

  std::vector<Spool*> spools_;
  ChannelSource channels_;
  UploaderOptions options_;
  SetAside set_aside_;
  // A thread that lowers its priority here may raise it again.
  bool may_yield_ = false;
  bool raised_ = true;
  std::string not_taken_;
  std::chrono::steady_clock::time_point say_again_at_;
  std::atomic<std::uint64_t> acked_blocks_{0};
  std::atomic<std::uint64_t> acked_block_bytes_{0};
  std::atomic<std::uint64_t> acked_records_{0};
  std::atomic<bool> connected_{false};
  std::atomic<bool> unreadable_{false};
  std::atomic<bool> held_up_{false};
  // CLOCK_MONOTONIC nanoseconds; 0 while it runs.
  std::atomic<std::int64_t> stop_at_{0};
  // Likewise; 0: nobody has been in a hurry.
  std::atomic<std::int64_t> hurry_until_{0};
  // The thread's; 0 before it runs.
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

}  // namespace sallyport::agent
