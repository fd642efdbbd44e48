#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/agent_service.pb.h"

namespace sallyport::controlplane {

// Whether agents have cut what was ended. They say so on their own, each in its own name; of what
// they said the latest 16,384 sessions are remembered. Thread-safe.
class ConfirmedEnds {
 public:
  // How long an operator waits for agents that are connected.
  static constexpr absl::Duration kPatience = absl::Seconds(1);

  // The database and the clock outlive it.
  ConfirmedEnds(Database& control, const Clock& clock, IsConnected is_connected,
                absl::Duration patience = kPatience)
      : control_(control),
        clock_(clock),
        is_connected_(std::move(is_connected)),
        patience_(patience) {}

  // The agent serves nobody any more under that session.
  void Note(std::string_view agent, std::string_view session_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // The agents that may still serve some of these sessions, which have ended: they are not
  // connected, or have not confirmed the end when `patience` is over, for which this waits; so no
  // transaction may be open.
  absl::StatusOr<std::vector<admin::v1::AwayAgent>> AwaitUnconfirmed(
      std::span<const Session> ended) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr std::size_t kRemembered = 16384;

  // Those of the sessions that no agent has confirmed, after the wait.
  std::vector<Session> Await(std::span<const Session> ended) const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Has(const Session& session) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Database& control_;
  const Clock& clock_;
  const IsConnected is_connected_;
  const absl::Duration patience_;
  mutable absl::Mutex mutex_;
  // Agent and session.
  using Confirmed = std::pair<std::string, std::string>;
  absl::flat_hash_set<Confirmed> confirmed_ ABSL_GUARDED_BY(mutex_);
  std::deque<Confirmed> latest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
