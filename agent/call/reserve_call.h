#pragma once

#include <variant>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Has the control plane let the call through, once, where one agent alone cannot: it uses its
// approval up, reserves what it may do once and the objects it touches, and judges its repetition
// while the outcome of an identical call is unknown. A call that needs none of it passes untouched,
// and so does the next round of one that was let through. A JudgedCall: a person must approve it
// first, or must say that it is made again. Refused with the control plane's reason, or
// CONTROL_PLANE_UNAVAILABLE; what was not let through holds nothing.
Task<std::variant<PermittedCall, RefusedCall, JudgedCall>> ReserveCall(Gateway& gateway,
                                                                       ApprovedCall call);

}  // namespace sallyport::agent
