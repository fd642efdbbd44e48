#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/agent_service.pb.h"

namespace sallyport::controlplane {

// As people see it, but for whether it is connected.
admin::v1::Agent ShownAgent(const Agent& agent);

// The agents that have enrolled, and the recordings of their own chains.
class ReadAgents {
 public:
  // What is known of agents by their update streams.
  struct Streams {
    IsConnected is_connected;
    // What it says of policies that it cannot understand.
    std::function<std::string(std::string_view name)> not_understood;
    // When two processes were last seen to have its key. InfinitePast: never.
    std::function<absl::Time(std::string_view name)> copy_seen_at;
  };
  // The databases outlive it.
  ReadAgents(Database& control, Database& recordings, Streams streams)
      : control_(control), recordings_(recordings), streams_(std::move(streams)) {}

  // Admin, auditor or the admin socket.
  absl::StatusOr<admin::v1::ListAgentsResponse> Run(const Caller& caller,
                                                    const admin::v1::ListAgentsRequest& request);
  absl::StatusOr<admin::v1::ListAgentRecordingsResponse> Run(
      const Caller& caller, const admin::v1::ListAgentRecordingsRequest& request);

 private:
  Database& control_;
  Database& recordings_;
  const Streams streams_;
};

}  // namespace sallyport::controlplane
