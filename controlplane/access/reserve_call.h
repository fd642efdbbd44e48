#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

namespace sallyport::controlplane {

// Lets one call through, once, for the agent that serves its session: judges it under the policies
// in force, uses its approval up, and holds what it does once and the objects it touches, all of it
// in one transaction or none. Another agent's session does not exist for it (kNotFound).
class ReserveCall {
 public:
  // All of them outlive it.
  struct Needs {
    Database& control;
    const Clock& clock;
    CurrentPolicies& policies;
    IsConnected is_connected;
  };
  explicit ReserveCall(Needs needs) : needs_(std::move(needs)) {}

  // A refusal is in the response. Again for the same call_id: the same answer, and no second call.
  // An attempt to use an approval that is refused has its line in the audit log.
  absl::StatusOr<agent::v1::ReserveCallResponse> Run(const Caller& caller,
                                                     const agent::v1::ReserveCallRequest& request);

 private:
  Needs needs_;
};

}  // namespace sallyport::controlplane
