#include "agent/call/call_digests.h"

#include <string_view>

#include "agent/mcp/bound_params.h"
#include "agent/mcp/canonical_arguments.h"
#include "common/hmac.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

namespace {

// Canonical JSON has no line break, so nothing of the one can be read as the other's.
// The target comes last, and may be anything.
absl::StatusOr<std::string> Digest(const ServedSession& session, const ClientMessage& message,
                                   const absl::StatusOr<std::string>& params) {
  RETURN_IF_ERROR(params.status());
  ASSIGN_OR_RETURN(const std::string envelope, CallEnvelope(message));
  ASSIGN_OR_RETURN(
      const std::string arguments,
      CanonicalArguments(std::string_view(message.bytes)
                             .substr(message.arguments.begin, message.arguments.size())));
  return ToHex(HmacSha256(session.digest_key,
                          *params + "\n" + envelope + "\n" + arguments + "\n" + message.target));
}

}  // namespace

absl::StatusOr<std::string> ApprovalDigest(const ServedSession& session,
                                           const ClientMessage& message) {
  return Digest(session, message, OtherParams(message));
}

absl::StatusOr<std::string> OperationDigest(const ServedSession& session,
                                            const ClientMessage& message) {
  return Digest(session, message, ParamsOfAllRounds(message));
}

}  // namespace sallyport::agent
