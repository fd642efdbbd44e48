#include "agent/call/call_digests.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string_view>

#include "agent/mcp/bound_params.h"
#include "agent/mcp/canonical_arguments.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

namespace {

std::string HmacOf(const ServedSession& session, std::string_view text) {
  unsigned char digest[32];
  unsigned size = sizeof digest;
  HMAC(EVP_sha256(), session.digest_key.data(), static_cast<int>(session.digest_key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return ToHex(std::string_view(reinterpret_cast<const char*>(digest), size));
}

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
  return HmacOf(session, *params + "\n" + envelope + "\n" + arguments + "\n" + message.target);
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
