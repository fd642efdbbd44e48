#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::agent {

// What an agent must know to decide alone, ready to be asked: immutable, shared, and swapped whole.
// A call takes it once and is judged by that one from beginning to end.
class AgentSnapshot {
 public:
  // kInvalidArgument, naming the document, when any part of it cannot be understood: half a policy
  // is none.
  static absl::StatusOr<std::shared_ptr<const AgentSnapshot>> Compile(const v1::Snapshot& snapshot);

  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t version() const { return version_; }
  absl::Time made_at() const { return made_at_; }
  const std::string& agent() const { return agent_; }
  const std::string& deployment_id() const { return deployment_id_; }
  // Whether the control plane lets this agent front `server`.
  bool Fronts(std::string_view server) const { return servers_.contains(server); }
  // By name, for MaskPlan::Compile.
  const std::map<std::string, types::v1::MaskProfileSpec>& mask_profiles() const {
    return mask_profiles_;
  }

 private:
  AgentSnapshot() = default;

  std::uint64_t epoch_ = 0;
  std::uint64_t version_ = 0;
  absl::Time made_at_;
  std::string agent_;
  std::string deployment_id_;
  std::set<std::string, std::less<>> servers_;
  std::map<std::string, types::v1::MaskProfileSpec> mask_profiles_;
};

}  // namespace sallyport::agent
