#include "controlplane/access/judge_call.h"

#include "common/policy/session_policy.h"

namespace sallyport::controlplane {

CallDecision JudgeCall(const InForce& in_force, const Session& session, const PolicyCall& call,
                       absl::Time now) {
  return SessionPolicy::Bind(in_force.policies, session.proto().principal(),
                             session.proto().server())
      ->EvaluateCall(call, now);
}

bool MayPass(const CallDecision& decision) {
  return decision.verdict == Verdict::kAllow || decision.verdict == Verdict::kRequireApproval;
}

types::v1::OnUnknown OnUnknownOf(const CallDecision& decision) {
  return MayPass(decision) ? decision.on_unknown : types::v1::ON_UNKNOWN_ASK;
}

bool MayAskToRepeat(const CallDecision& decision) {
  return MayPass(decision) && decision.on_unknown == types::v1::ON_UNKNOWN_ASK &&
         !decision.approvers.empty();
}

}  // namespace sallyport::controlplane
