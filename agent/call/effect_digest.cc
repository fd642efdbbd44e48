#include "agent/call/effect_digest.h"

#include "absl/strings/str_cat.h"
#include "agent/mcp/bound_params.h"
#include "agent/mcp/canonical_arguments.h"
#include "common/denial.h"
#include "common/hmac.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

absl::StatusOr<std::string> EffectDigest(const AgentSnapshot& snapshot, std::string_view server,
                                         std::string_view bytes) {
  const std::string_view key = snapshot.EffectKeyOf(server);
  if (key.empty()) {
    return Denied(types::v1::DENIAL_REASON_NO_SNAPSHOT,
                  "the snapshot has no effect key for the server");
  }
  return ToHex(HmacSha256(key, bytes));
}

absl::StatusOr<std::string> CallDigest(const AgentSnapshot& snapshot, std::string_view server,
                                       const ClientMessage& message) {
  const auto bytes_of = [&](Span span) {
    return std::string_view(message.bytes).substr(span.begin, span.size());
  };
  ASSIGN_OR_RETURN(const std::string arguments,
                   CanonicalArguments(bytes_of(message.arguments), Numbers::kAsDoubles));
  ASSIGN_OR_RETURN(const std::string as_shown, OtherParams(message));
  ASSIGN_OR_RETURN(const std::string others, CanonicalArguments(as_shown, Numbers::kAsDoubles));
  // Each length before its part: no call can be spelled so that it reads as another.
  std::string call = "call";
  for (const std::string* part : {&message.method, &message.target, &arguments, &others})
    absl::StrAppend(&call, ":", part->size(), ":", *part);
  return EffectDigest(snapshot, server, call);
}

}  // namespace sallyport::agent
