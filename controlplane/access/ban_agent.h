#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/agent_service.pb.h"

namespace sallyport::controlplane {

// An operator shuts an agent out.
class BanAgent {
 public:
  // The database and the clock outlive it.
  BanAgent(Database& control, const Clock& clock, IsConnected is_connected)
      : control_(control), clock_(clock), is_connected_(std::move(is_connected)) {}

  // Admins. In one transaction the agent's sessions end as revoked and its certificate opens
  // nothing any more; its update stream ends once it has told the ends. kNotFound: no such agent.
  absl::StatusOr<admin::v1::BanAgentResponse> Run(const Caller& caller,
                                                  const admin::v1::BanAgentRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const IsConnected is_connected_;
};

}  // namespace sallyport::controlplane
