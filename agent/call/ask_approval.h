#pragma once

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Asks the control plane for the approval that policy wants, or attaches to the one there is for
// the identical call. A call that needs no approval passes untouched. Refused when too many calls
// of the session wait already, when the arguments cannot be shown to an approver, or when the
// control plane takes no approval for the call or cannot be reached.
Task<Stage<AskedCall>> AskApproval(Gateway& gateway, JudgedCall call);

}  // namespace sallyport::agent
