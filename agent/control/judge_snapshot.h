#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/control/agent_snapshot.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport::agent {

// (epoch, version).
using SnapshotAge = std::pair<std::uint64_t, std::uint64_t>;

// What a snapshot is judged by.
struct SnapshotBasis {
  std::string agent_name;
  std::string ca;  // PEM
  // Of the latest that the control plane has signed.
  SnapshotAge newest;
  // Null: there is none.
  std::shared_ptr<const AgentSnapshot> in_force;
};

struct JudgedSnapshot {
  SnapshotAge age;
  // What is to be in force; the one that is, where it is of that age, and the rest is as it was.
  // Null: nothing can be.
  std::shared_ptr<const AgentSnapshot> snapshot;
  // What of it cannot be understood, and why. Empty: nothing.
  std::string not_understood;
  // That is more than policies: it lets nothing through.
  bool is_shut = false;
};

// An error: it is not the control plane's, made for another agent, or goes back. Takes its time,
// for much may have to be compiled; on any thread.
absl::StatusOr<JudgedSnapshot> JudgeSnapshot(const v1::SignedSnapshot& signed_snapshot,
                                             const SnapshotBasis& basis, absl::Time now);

}  // namespace sallyport::agent
