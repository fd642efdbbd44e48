#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/loop/signal.h"
#include "agent/record/recording_chain.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::agent {

// A session that is being asked for with one token: all its connections of the same server and
// address wait for the one request.
struct Opening {
  explicit Opening(Loop& loop) : answered(loop), decided(loop) {}

  // There is a session (`why` is OK), or there will be none: wakes who waits.
  void Decide(absl::Status why);

  bool is_asking = false;
  // When its attempts began to be held (CLOCK_BOOTTIME): all of them share one hold.
  absl::Duration hold_began = -absl::InfiniteDuration();
  // PENDING at the control plane. Empty id: not known to be.
  types::v1::Session pending;
  std::vector<std::string> approvers;
  std::string expires_at;
  // Why there will be none. Ok: nothing is decided yet, or there is one.
  absl::Status refusal;
  std::vector<std::string> required_scopes;
  // The control plane has answered: it is pending, or decided.
  Signal answered;
  Signal decided;
};

struct Openings {
  // Forgets those that nobody waits for: decided ones, and those whose last hold began before
  // `since`. Who comes for one of them asks anew.
  void Sweep(absl::Duration since);

  // Sessions whose ends the control plane has told, and since when (CLOCK_BOOTTIME) it is known
  // here. The answer to an opening may have been made before its session's end and come after the
  // news of it.
  absl::flat_hash_map<std::string, absl::Duration> told_ends;
  // By SessionKey, client address and the token's SHA-256.
  std::map<std::string, std::shared_ptr<Opening>> by_key;
  // What the last run of the agent left open, by session id: continued when the control plane
  // confirms the session.
  std::map<std::string, std::unique_ptr<RecordingChain>> open_chains;
};

}  // namespace sallyport::agent
