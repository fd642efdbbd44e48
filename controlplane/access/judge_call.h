#pragma once

#include "absl/time/time.h"
#include "common/policy/decision.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/session.h"

// What the policies in force say of a call whose arguments are known masked: the agent has judged
// the true ones, and a condition that meets a masked one may read otherwise here.
namespace sallyport::controlplane {

CallDecision JudgeCall(const InForce& in_force, const Session& session, const PolicyCall& call,
                       absl::Time now);

// Whether they let it through, or would once a person has approved it.
bool MayPass(const CallDecision& decision);

// What becomes of it while an identical call is in doubt. ASK where the policies let nothing
// through that is known here.
types::v1::OnUnknown OnUnknownOf(const CallDecision& decision);

// A person may say that it is made again, and there is somebody to ask.
bool MayAskToRepeat(const CallDecision& decision);

}  // namespace sallyport::controlplane
