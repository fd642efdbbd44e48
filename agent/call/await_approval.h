#pragma once

#include <variant>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The client took the call back, or has gone: nothing more is sent, and nothing was forwarded.
struct AbandonedCall {
  GrantedCall granted;
};

// Waits until a person has approved the call. The client's stream begins at once and says that the
// call waits; after its hold the call is refused with APPROVAL_PENDING, and the identical call
// attaches to the same approval. After the wait the session, its token and the policy in force are
// judged again. A call that needs no approval passes untouched.
Task<std::variant<ApprovedCall, RefusedCall, AbandonedCall>> AwaitApproval(Gateway& gateway,
                                                                           AskedCall call,
                                                                           OpenRequest& request);

}  // namespace sallyport::agent
