#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "agent/call/gateway.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

// What the control plane pushes, put into effect.
namespace sallyport::agent {

// A session of this agent as it is now: one that has become active may be served, whoever waits for
// one that was decided is told, one that has ended is cut.
void TakeSessionUpdate(Gateway& gateway, const v1::SessionUpdate& update);

// All that is live has been told: what we serve and the control plane does not know is cut, and
// recordings that the last run left open and nobody confirmed are closed. What became of the
// approvals that are open here is asked, in the background.
void TakeResync(Gateway& gateway, const absl::flat_hash_set<std::string>& active);

// The control plane will not have this agent (any more), as `why` says: all that it serves is cut,
// and nobody waits for a session any longer.
void TakeRefusal(Gateway& gateway, const absl::Status& why);

// The control plane has refused a recording for good: nothing more is recorded of it, its session
// is cut, and the control plane is told so.
void TakeRefusedRecording(Gateway& gateway, const std::string& recording);

// A newer snapshot is in force: sessions that a lock shuts are cut, in this turn and the next ones.
void TakeSnapshot(Gateway& gateway);

}  // namespace sallyport::agent
