#pragma once

#include <variant>

#include "agent/call/await_approval.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Whether what the server says of the tool is still what was accepted of it. Of one that has
// changed, the call waits until an admin accepts it or the server takes it back, and is refused
// with DEFINITION_CHANGED after its hold; or it is refused at once, as the Server document says.
// The server is asked first where nobody has looked on this connection and something relies on the
// tool: an approval that will be asked for, or what was accepted before. A call of something else
// than a tool passes untouched.
Task<std::variant<JudgedCall, RefusedCall, AbandonedCall>> CheckDefinition(Gateway& gateway,
                                                                           JudgedCall call,
                                                                           OpenRequest& request);

}  // namespace sallyport::agent
