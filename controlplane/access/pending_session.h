#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/decision.h"
#include "controlplane/access/approval_notices.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// What becomes of a session that waits for its approval when somebody opens it once more.

// Asks the approvers of the session's terms and has them told, by the approval that the session
// waits for, which is new.
absl::Status AskForSession(WriteTransaction& t, const Session& session, CurrentPolicies& policies,
                           const ApprovalNotices& notices, absl::Time now);

// Whether the policies open what was asked for: they may bind it to an address it does not have.
bool IsOpenedBy(const OpenDecision& decision, const Session& session);

// Whether its approval is what would be asked for now: of the same people, as many of them.
absl::StatusOr<bool> IsStillAsked(Transaction& t, const Session& session,
                                  const OpenDecision& decision);

// What the policies say of a session that waits, where somebody with another token of its principal
// would break its glass: that takes both tokens.
OpenDecision WithGlassOf(const OpenDecision& breaking, OpenDecision waiting);

}  // namespace sallyport::controlplane
