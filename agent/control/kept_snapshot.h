#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport::agent {

// The last snapshot on disk, as it was signed, for an agent that starts without its control plane.
// On the loop's thread, which waits for no disk.
class KeptSnapshot {
 public:
  // The loop outlives it.
  KeptSnapshot(Loop& loop, const std::string& data_dir);

  // nullopt: there is none. An error names the file.
  absl::StatusOr<std::optional<v1::SignedSnapshot>> Load() const;

  // Written on another thread, one after the other; of those that wait, the latest. One that cannot
  // be is logged.
  void Keep(std::shared_ptr<const v1::SignedSnapshot> snapshot);
  // Until nothing is being written.
  Task<void> Drain();

 private:
  void Write();

  Loop& loop_;
  const std::string file_;
  bool is_writing_ = false;
  std::shared_ptr<const v1::SignedSnapshot> next_;
  Signal written_;
};

}  // namespace sallyport::agent
