#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// The server's acknowledgement of `listen`, a subscriptions/listen as the server got it, as its
// client is given it: what the server claims to honour and was not asked for is cut. Beside the
// rest it says, in `why`, what was left out of the request before the server saw it. Empty: nothing
// was. What the server itself says under that name is cut. Unchanged where the message is no
// acknowledgement; upstream_invalid where it cannot be told in it.
absl::StatusOr<UpstreamMessage> NarrowAcknowledgement(UpstreamMessage message,
                                                      const ClientMessage& listen,
                                                      std::string_view why);

}  // namespace sallyport::agent
