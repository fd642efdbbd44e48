#include "controlplane/access/judge_call.h"

#include "common/denial.h"
#include "common/policy/argument.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {

CallDecision JudgeCall(const InForce& in_force, const Session& session, const PolicyCall& call,
                       absl::Time now) {
  return SessionPolicy::Bind(in_force.policies, session.proto().principal(),
                             session.proto().server())
      ->EvaluateCall(call, now);
}

absl::StatusOr<std::vector<ArgumentPlace>> PlacesOf(
    const google::protobuf::RepeatedPtrField<std::string>& cut) {
  constexpr int kMaxPlaces = 256;
  if (cut.size() > kMaxPlaces) return absl::InvalidArgumentError("cut names more than 256 places");
  std::vector<ArgumentPlace> places;
  for (const std::string& pointer : cut) {
    places.emplace_back();
    if (pointer.empty()) continue;  // all of them
    ASSIGN_OR_RETURN(places.back(), ParsePointer(pointer));
  }
  return places;
}

absl::Status CheckJudgedBy(const InForce& in_force, const agent::v1::JudgedBy& judged) {
  if (judged.epoch() == in_force.version.epoch && judged.version() >= in_force.documents_version &&
      judged.version() <= in_force.version.version) {
    return absl::OkStatus();
  }
  return Denied(types::v1::DENIAL_REASON_POLICY_CHANGED, "other policies are in force by now");
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
