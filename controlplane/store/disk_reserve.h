#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace sallyport::controlplane {

// What is kept of the disk that the data lies on, so that access can still be taken away when it
// fills up. Two lines: below the *floor* of free space nothing is written any more that callers
// cause, and what is left is for operators; when the disk is full all the same, a revocation gives
// up a part of the *ballast*, a file of real blocks, and is tried again. The ballast is made again
// once there is room for it above the floor. Thread-safe.
class DiskReserve {
 public:
  struct Space {
    uint64_t total = 0;
    uint64_t free = 0;  // for who is not root
  };
  // Where the space is read. Thread-safe.
  using Probe = std::function<absl::StatusOr<Space>()>;

  // The floor is 128 MiB, but at most an eighth of the file system; the ballast (`dir`/ballast) is
  // 16 MiB, but at most a sixteenth. `dir` exists; unset, `probe` asks its file system. A disk that
  // has no room for the ballast is no error: the log says so, and Tend makes it later. One that is
  // full is given a part of it at once, for a program that cannot start takes nothing away.
  static absl::StatusOr<std::unique_ptr<DiskReserve>> Open(const std::string& dir,
                                                           Probe probe = {});
  DiskReserve(const DiskReserve&) = delete;
  DiskReserve& operator=(const DiskReserve&) = delete;

  // Whether what callers cause may be written. kResourceExhausted (CONTROL_PLANE_UNAVAILABLE) below
  // the floor; the message is for callers.
  absl::Status CheckFloor() const;

  // Gives a quarter of the whole ballast back to the disk, durably. False: there is none left.
  bool GiveUpBallast();

  // To be called about once a second: says in the log when the floor is passed, either way, and
  // makes the ballast again where there is room.
  void Tend();

  uint64_t floor_bytes() const { return floor_bytes_; }
  uint64_t ballast_bytes() const;
  // -1: cannot be read.
  double free_bytes() const;

 private:
  DiskReserve(std::string path, Probe probe, const Space& space);
  void MakeBallast() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const Probe probe_;
  const uint64_t floor_bytes_;
  const uint64_t whole_bytes_;  // of the ballast
  mutable absl::Mutex mutex_;
  uint64_t ballast_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_low_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sallyport::controlplane
