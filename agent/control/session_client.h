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

  // Tells the control plane that a session of ours must end because its recording is damaged or was
  // refused, and again until it has taken that, however long it is away; once for each session,
  // however often it is called. Returns at once.
  void EndDamaged(const std::string& session_id);
  // Not taken yet.
  std::size_t pending_ends() const { return damaged_.size(); }

  void Start();
  // Returns when nothing of it runs any more. What was not taken is known to the recorder, and told
  // by the next run.
  Task<void> Drain();

 private:
  Task<void> TellDamaged();

  ControlPlaneChannel& channel_;
  std::deque<std::string> damaged_;
  Signal has_damaged_;
  Signal stop_;
  Signal stopped_;
  bool is_started_ = false;
};

}  // namespace sallyport::agent
