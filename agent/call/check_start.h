#pragma once

#include "absl/status/status.h"
#include "agent/call/error_reply.h"
#include "agent/call/gateway.h"

namespace sallyport::agent {

// Whether the session's server may be started now. UPSTREAM_LOST: it has ended at its last starts,
// or could not be reached, and `details` say when to come again.
absl::Status CheckStart(const Gateway& gateway, const ServedSession& session,
                        RefusalDetails& details);

}  // namespace sallyport::agent
