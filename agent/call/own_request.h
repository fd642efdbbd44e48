#pragma once

#include "absl/status/statusor.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Asks the server something for ourselves: recorded as any request, and so is its response, which
// goes to no client. Errors are the session's end and those of the recorder and of the exchange;
// kDeadlineExceeded: it has not answered within `timeout`, and has been told that nobody waits any
// more.
Task<absl::StatusOr<UpstreamMessage>> AskForOurselves(Gateway& gateway, Held<ServedSession> session,
                                                      Held<McpConnection> connection,
                                                      ClientMessage request,
                                                      absl::Duration timeout);

}  // namespace sallyport::agent
