#pragma once

#include "agent/call/call.h"
#include "agent/call/gateway.h"

namespace sallyport::agent {

// The call's place under the limits of its session and its principal. LIMIT_EXCEEDED, with when to
// come again where time alone is in the way: nothing has been used up then. A call that waits for a
// person has no place yet, so that it costs its client no other call. A later round of a call
// counts as one of those at a time while it is at work; refused, it stays open for its client.
Stage<ApprovedCall> TakeLimits(Gateway& gateway, ApprovedCall call);

}  // namespace sallyport::agent
