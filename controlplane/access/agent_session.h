#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/compiled_policies.h"
#include "controlplane/model/approval.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"

// What agents ask about their own sessions.
namespace sallyport::controlplane {

// ROLE_MISSING for who is no agent; another agent's session does not exist for this one
// (kNotFound).
absl::StatusOr<Session> FindSessionOfAgent(Transaction& t, const Caller& caller,
                                           const std::string& id);

// The approval of one of the session's calls. kNotFound: it has none of that id.
absl::StatusOr<Approval> FindCallApproval(Transaction& t, const Session& session,
                                          const std::string& id);

// Ok, or why the session's calls do not go on: SESSION_PENDING, SESSION_ENDED, LOCKED.
absl::Status CheckGoesOn(const Session& session, const CompiledPolicies& policies, absl::Time now);

}  // namespace sallyport::controlplane
