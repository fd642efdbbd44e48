#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// The server's acknowledgement of a subscriptions/listen as its client is given it: beside what the
// server honours it says, in `why`, what was left out of the request before the server saw it.
// Empty: nothing was. What the server itself says under that name is cut. Unchanged where the
// message is no acknowledgement; upstream_invalid where it cannot be told in it.
absl::StatusOr<UpstreamMessage> TellLeftOut(UpstreamMessage message, std::string_view why);

}  // namespace sallyport::agent
