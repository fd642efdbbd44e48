#pragma once

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Sends the call to its server, once, and delivers what the server says until the response; then
// the answer is complete. When no response comes, the record says what became of the call, and the
// client gets UPSTREAM_LOST, UPSTREAM_INVALID, SESSION_ENDED or SNAPSHOT_STALE; a request that the
// client took back gets none.
Task<void> Forward(Gateway& gateway, RecordedCall call, OpenRequest& request);

}  // namespace sallyport::agent
