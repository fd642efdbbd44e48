#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/call/served_session.h"
#include "agent/loop/task.h"
#include "agent/session/held.h"
#include "sallyport/types/v1/grant.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::agent {

struct Gateway;

// Begins to serve the session that a grant proves, or finds it: its chain is continued where the
// last run of the agent left one. Its OPEN record is not written yet. `told`: what the control
// plane says of it, beside what the grant proves.
absl::StatusOr<ServedSession*> BeginSession(Gateway& gateway, const types::v1::Grant& grant,
                                            const types::v1::Session& told);

// Writes the OPEN record of a session that has none. An error: it must not be used.
Task<absl::Status> EnsureOpened(Gateway& gateway, Held<ServedSession> session);

// The session goes on as long as the snapshot's policies would open it on its terms.
void JudgeTerms(ServedSession& session, const AgentSnapshot& snapshot, absl::Time now);

}  // namespace sallyport::agent
