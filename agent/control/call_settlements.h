#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/link/channel.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

namespace sallyport::agent {

// What the control plane must hear of calls: what became of each that it has let through, and of
// any other whose outcome nobody knows. It is told in the order in which it became known, until it
// has heard. Each has a file until then: what a killed agent has not said, the next one says, and
// what that one did not see the end of is unknown. On the loop's thread.
class CallSettlements {
 public:
  // `dir` is made with mode 0700 when absent; takes up what the last run left there. `channel`
  // outlives it.
  static absl::StatusOr<std::unique_ptr<CallSettlements>> Open(ControlPlaneChannel& channel,
                                                               std::string dir);

  // Before a call is reserved. A file that cannot be written is logged: if the agent is killed over
  // this call, it counts as under way, and as unknown once its session is over.
  void Begin(const std::string& session_id, const std::string& call_id);
  // What became of it; also of a call that was never begun here.
  void Settle(v1::SettleCallRequest request);
  // It was not let through: there is nothing to tell.
  void Forget(const std::string& call_id);

  // Tells on the loop from now on until Drain.
  void Start();
  // Says what there is to say while the control plane answers, for a second at most.
  Task<void> Drain();

  // Not told yet.
  std::size_t pending() const { return pending_.size(); }

 private:
  CallSettlements(ControlPlaneChannel& channel, std::string dir);

  absl::Status TakeUp();
  void Keep(const v1::SettleCallRequest& request) const;
  void Push(v1::SettleCallRequest request);
  Task<void> Tell();
  std::string PathOf(const std::string& call_id) const;

  ControlPlaneChannel& channel_;
  const std::string dir_;
  std::deque<v1::SettleCallRequest> pending_;
  Signal has_pending_;
  Signal stop_;
  Signal stopped_;
  bool is_started_ = false;
};

}  // namespace sallyport::agent
