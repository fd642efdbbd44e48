#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/agent_service.pb.h"

namespace sallyport::controlplane {

// The agents that are not connected and still serve some of these sessions, which `now` ended or
// ended before: they have not heard of it. By name. Left out are sessions that they never served,
// of which they have closed the recording, or that they end by themselves by now.
absl::StatusOr<std::vector<admin::v1::AwayAgent>> AwayAgents(Transaction& t,
                                                             std::span<const Session> ended,
                                                             const IsConnected& is_connected,
                                                             absl::Time now);

}  // namespace sallyport::controlplane
