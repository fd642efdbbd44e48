#include "agent/call/arguments_digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string_view>

#include "agent/mcp/canonical_arguments.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

namespace {

std::string DigestOf(const ServedSession& session, std::string_view text) {
  unsigned char digest[32];
  unsigned size = sizeof digest;
  HMAC(EVP_sha256(), session.digest_key.data(), static_cast<int>(session.digest_key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return ToHex(std::string_view(reinterpret_cast<const char*>(digest), size));
}

// Canonical JSON has no line break, so nothing of the one can be read as the other's.
absl::StatusOr<std::string> Canonical(const ClientMessage& message) {
  ASSIGN_OR_RETURN(
      std::string canonical,
      CanonicalArguments(std::string_view(message.bytes)
                             .substr(message.arguments.begin, message.arguments.size())));
  canonical.append("\n").append(message.target);
  return canonical;
}

}  // namespace

absl::StatusOr<std::string> ArgumentsDigest(const ServedSession& session,
                                            const ClientMessage& message) {
  ASSIGN_OR_RETURN(const std::string canonical, Canonical(message));
  return DigestOf(session, canonical);
}

absl::StatusOr<std::string> ApprovalDigest(const ServedSession& session,
                                           const ClientMessage& message) {
  ASSIGN_OR_RETURN(const std::string canonical, Canonical(message));
  ASSIGN_OR_RETURN(
      const std::string others,
      OtherParams(
          std::string_view(message.bytes).substr(message.params.begin, message.params.size())));
  // The target comes last, and may be anything: what else is bound goes before it.
  return DigestOf(session, others + "\n" + canonical);
}

}  // namespace sallyport::agent
