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
  // `is_connected` says whether an agent's update stream is open, `not_understood` what it says of
  // policies that it cannot understand. The databases outlive it.
  ReadAgents(Database& control, Database& recordings, IsConnected is_connected,
             std::function<std::string(std::string_view name)> not_understood)
      : control_(control),
        recordings_(recordings),
        is_connected_(std::move(is_connected)),
        not_understood_(std::move(not_understood)) {}

  // Admin, auditor or the admin socket.
  absl::StatusOr<admin::v1::ListAgentsResponse> Run(const Caller& caller,
                                                    const admin::v1::ListAgentsRequest& request);
  absl::StatusOr<admin::v1::ListAgentRecordingsResponse> Run(
      const Caller& caller, const admin::v1::ListAgentRecordingsRequest& request);

 private:
  Database& control_;
  Database& recordings_;
  const IsConnected is_connected_;
  std::function<std::string(std::string_view name)> not_understood_;
};

}  // namespace sallyport::controlplane
