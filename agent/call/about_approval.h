#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"
#include "sallyport/types/v1/approval.pb.h"

// What clients and records are told of a call's approval.
namespace sallyport::agent {

// To the moment until which the control plane takes decisions on it.
absl::Time ExpiresAt(const types::v1::Approval& approval);

// "Waiting for approval apr_... by okta:approvers, expires 10:15".
std::string WaitingText(const types::v1::Approval& approval);

// Ok: not decided yet, or given. What any other decision means for the call.
absl::Status DenialOf(const types::v1::Approval& approval);

// The call's no, with what its client can be told of the approval. Null: there is none.
RefusedCall RefuseAbout(JudgedCall call, absl::Status why, const types::v1::Approval* approval);

// For a call that goes away without it: takes it back unless another call waits for it. False: one
// does.
bool LeaveApproval(Gateway& gateway, const types::v1::Approval& approval);

// The APPROVAL record of what was done about it.
Task<void> RecordApproval(Gateway& gateway, const JudgedCall& call,
                          const types::v1::Approval& approval, ShownText detail);

}  // namespace sallyport::agent
