#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/decision.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/model/session.h"
#include "google/protobuf/repeated_field.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

// What the policies in force say of a call whose arguments are known masked: the agent has judged
// the true ones, and where `call.cut` names no place, a condition that meets a masked one may read
// otherwise here.
namespace sallyport::controlplane {

CallDecision JudgeCall(const InForce& in_force, const Session& session, const PolicyCall& call,
                       absl::Time now);

// `cut` of a request or an approval, as the policies take it. kInvalidArgument for what no agent of
// ours would send.
absl::StatusOr<std::vector<ArgumentPlace>> PlacesOf(
    const google::protobuf::RepeatedPtrField<std::string>& cut);

// OK where an agent has judged a call by the very documents that are in force. What else a snapshot
// holds (keys, pins of tools) may have changed since. POLICY_CHANGED otherwise.
absl::Status CheckJudgedBy(const InForce& in_force, const agent::v1::JudgedBy& judged);

// Whether they let it through, or would once a person has approved it.
bool MayPass(const CallDecision& decision);

// What becomes of it while an identical call is in doubt. ASK where the policies let nothing
// through that is known here.
types::v1::OnUnknown OnUnknownOf(const CallDecision& decision);

// A person may say that it is made again, and there is somebody to ask.
bool MayAskToRepeat(const CallDecision& decision);

}  // namespace sallyport::controlplane
