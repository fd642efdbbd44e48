#include "agent/call/arguments_digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string_view>

#include "agent/mcp/canonical_arguments.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

absl::StatusOr<std::string> ArgumentsDigest(const ServedSession& session,
                                            const ClientMessage& message) {
  const std::string_view arguments =
      std::string_view(message.bytes).substr(message.arguments.begin, message.arguments.size());
  ASSIGN_OR_RETURN(std::string canonical, CanonicalArguments(arguments));
  // Canonical JSON has no line break, so nothing of the one can be read as the other's.
  canonical.append("\n").append(message.target);
  unsigned char digest[32];
  unsigned size = sizeof digest;
  HMAC(EVP_sha256(), session.digest_key.data(), static_cast<int>(session.digest_key.size()),
       reinterpret_cast<const unsigned char*>(canonical.data()), canonical.size(), digest, &size);
  return ToHex(std::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace sallyport::agent
