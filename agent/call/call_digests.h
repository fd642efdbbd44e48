#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/call/served_session.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// In hex: an HMAC-SHA256 over a canonical form under a key of the session's own, for a plain digest
// of a short secret could be guessed.

// What an approval binds: all that the call says, but what has to differ from try to try (see
// bound_params.h).
absl::StatusOr<std::string> ApprovalDigest(const ServedSession& session,
                                           const ClientMessage& message);

// What all rounds of an operation of the modern era share: the same without what a retry adds,
// `inputResponses` and `requestState`.
absl::StatusOr<std::string> OperationDigest(const ServedSession& session,
                                            const ClientMessage& message);

}  // namespace sallyport::agent
