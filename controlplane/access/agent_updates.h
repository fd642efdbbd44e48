#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/access/session_grants.h"
#include "controlplane/store/change_feed.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport::controlplane {

// What an agent's update stream carries beside snapshots and heartbeats: its sessions, with their
// grants, and the approvals of their calls.
class AgentUpdates {
 public:
  // All of them outlive it.
  AgentUpdates(Database& control, Database& recordings, const SessionGrants& grants)
      : control_(control), recordings_(recordings), grants_(grants) {}

  // Sessions of the agent that have ended and that it may still serve, each with why: what a stream
  // begins with, before the snapshot, whose locks would say less.
  absl::StatusOr<std::vector<agent::v1::AgentUpdate>> Ended(std::string_view agent, absl::Time now);

  // The agent's live sessions, then the open approvals of their calls: what comes after the
  // snapshot, before `resynced`.
  absl::StatusOr<std::vector<agent::v1::AgentUpdate>> All(std::string_view agent);

  // What a change of a session or an approval means for this agent, as things are now. nullopt:
  // nothing, it is not the agent's.
  absl::StatusOr<std::optional<agent::v1::AgentUpdate>> Of(std::string_view agent,
                                                           const Change& change);

 private:
  Database& control_;
  Database& recordings_;
  const SessionGrants& grants_;
};

}  // namespace sallyport::controlplane
