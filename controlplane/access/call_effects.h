#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/decision.h"
#include "controlplane/model/reserved_call.h"
#include "controlplane/model/session.h"
#include "controlplane/store/calls.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"

namespace sallyport::controlplane {

// What an agent says that a call about `target` does.
struct NamedEffects {
  std::string_view target;
  const google::protobuf::RepeatedPtrField<agent::v1::OnceEffect>& once;
  const google::protobuf::RepeatedPtrField<agent::v1::TouchedObjects>& touched;
};

// What the call is to hold, when nothing stands in its way; otherwise ALREADY_DONE, OUTCOME_UNKNOWN
// or LIMIT_EXCEEDED, and POLICY_CHANGED where what the agent names is not what the policies in
// force ask for. What is done once is looked for among the calls of all principals that the rule is
// about; objects count by principal and server. `repeated` are identical calls in doubt that this
// one may repeat: what they hold does not stand in its way.
absl::StatusOr<calls::Holdings> HoldEffects(Transaction& t, const Session& session,
                                            const NamedEffects& effects,
                                            const CallDecision& decision,
                                            const std::vector<ReservedCall>& repeated,
                                            absl::Time now);

}  // namespace sallyport::controlplane
