#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/call/served_session.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// What tells a call's target and arguments from others, in hex: an HMAC-SHA256 over their canonical
// form under a key of the session's own, for a plain digest of a short secret could be guessed. No
// arguments are the same as empty ones.
absl::StatusOr<std::string> ArgumentsDigest(const ServedSession& session,
                                            const ClientMessage& message);

// What an approval binds: target and arguments, and what else of params is decided on
// (OtherParams).
absl::StatusOr<std::string> ApprovalDigest(const ServedSession& session,
                                           const ClientMessage& message);

}  // namespace sallyport::agent
