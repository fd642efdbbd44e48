#pragma once

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Uses the approval up for this call; no other call can have it then. Refused when the control
// plane does not give it to this one, or cannot be reached. A call without one passes untouched.
Task<Stage<PermittedCall>> UseApproval(Gateway& gateway, ApprovedCall call);

}  // namespace sallyport::agent
