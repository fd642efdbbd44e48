#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/link/channel.h"
#include "agent/loop/task.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

namespace sallyport::agent {

// Approvals of single calls, and what is let through once. On the loop's thread. What the control
// plane refuses is a Status with its denial reason; one that cannot be reached is
// CONTROL_PLANE_UNAVAILABLE. Decisions arrive through SnapshotWatch's observers.
class ApprovalClient {
 public:
  // `channel` outlives the client.
  explicit ApprovalClient(ControlPlaneChannel& channel) : channel_(channel) {}

  // Asks for an approval or attaches to the one there is: pending, or approved and not yet used.
  Task<absl::StatusOr<types::v1::Approval>> Request(v1::RequestCallApprovalRequest request,
                                                    absl::Duration timeout = absl::Seconds(10));

  // Has one call let through. A refusal is in the answer. Repeated under the same call_id, it says
  // the same.
  Task<absl::StatusOr<v1::ReserveCallResponse>> Reserve(v1::ReserveCallRequest request,
                                                        absl::Duration timeout = absl::Seconds(10));

  // The caller took the call back. In the background, retried for a minute; an approval that nobody
  // withdraws expires anyway.
  void Withdraw(std::string approval_id, std::string session_id);

  // An approval as it is now. kNotFound: the control plane knows none of that id for the session.
  Task<absl::StatusOr<types::v1::Approval>> Find(std::string approval_id, std::string session_id,
                                                 absl::Duration timeout = absl::Seconds(10));

 private:
  ControlPlaneChannel& channel_;
};

}  // namespace sallyport::agent
