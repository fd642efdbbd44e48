#pragma once

#include <string_view>

#include "agent/mcp/message.h"

namespace sallyport::agent {

// The server's acknowledgement of a subscriptions/listen as its client is given it: beside what the
// server honours it says, in `why`, what was left out of the request before the server saw it.
// Unchanged where the message is no acknowledgement.
UpstreamMessage TellLeftOut(UpstreamMessage message, std::string_view why);

}  // namespace sallyport::agent
