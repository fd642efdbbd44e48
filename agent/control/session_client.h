#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/link/channel.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "sallyport/access/v1/access_service.pb.h"

namespace sallyport::agent {

// The life of sessions at the control plane, from the agent's side. On the loop's thread. A control
// plane that cannot be reached is CONTROL_PLANE_UNAVAILABLE; what it refuses comes with its own
// reason.
class SessionClient {
 public:
  // `channel` outlives the client.
  explicit SessionClient(ControlPlaneChannel& channel);

  // Opens a session for a caller or attaches to the one there is. `request.token` and
  // `.client_address` are required; `.request_id` is made when it is empty. A denial is a response
  // with its denial_reason, not an error.
  Task<absl::StatusOr<access::v1::OpenSessionResponse>> Open(
      access::v1::OpenSessionRequest request, absl::Duration timeout = absl::Seconds(10));

  // The caller brought a newer token; `resource` is the server's URI, which may be its audience.
  Task<absl::StatusOr<types::v1::Session>> Renew(std::string session_id, std::string token,
                                                 std::string resource,
                                                 absl::Duration timeout = absl::Seconds(10));

  // Tells the control plane that a session is over, in the order of these calls and again until it
  // has acknowledged, however long it is away. Returns at once. A refusal (it knows no such session
  // of ours) ends the telling.
  void End(access::v1::EndSessionRequest request);
  // Ends that are not acknowledged yet.
  std::size_t pending_ends() const { return ends_.size(); }

  void Start();
  // Waits until all ends are acknowledged, `timeout` at most; returns when nothing of it runs any
  // more.
  Task<void> Drain(absl::Duration timeout);

 private:
  Task<void> TellEnds();

  ControlPlaneChannel& channel_;
  std::deque<access::v1::EndSessionRequest> ends_;
  Signal has_ends_;
  Signal all_told_;
  Signal stop_;
  Signal stopped_;
  bool is_started_ = false;
};

}  // namespace sallyport::agent
