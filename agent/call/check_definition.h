#pragma once

#include <variant>

#include "agent/call/await_approval.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Whether what the server says of the tool is still what was accepted of it. Of one that has
// changed, or that something relies on and the server does not show, the call waits until an admin
// accepts it or the server takes it back or lists it, and is refused with DEFINITION_CHANGED after
// its hold; or it is refused at once, as the Server document says. The server is asked first where
// it has not shown the tool on this connection and something relies on it, and before an approval
// is asked for, whatever the document says; where that cannot be recorded, the call is refused with
// RECORDER_UNAVAILABLE. A call of something else than a tool passes untouched, and so does one of a
// tool that nobody has seen.
Task<std::variant<JudgedCall, RefusedCall, AbandonedCall>> CheckDefinition(Gateway& gateway,
                                                                           JudgedCall call,
                                                                           OpenRequest& request);

}  // namespace sallyport::agent
