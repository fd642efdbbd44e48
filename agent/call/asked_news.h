#pragma once

#include "agent/mcp/message.h"

namespace sallyport::agent {

// Whether the client's `listen`, a subscriptions/listen as its server got it, asks for these news:
// their kind, and of a resource it or what it is a part of. What is no news of changes passes,
// unless it names another subscription.
bool IsAskedFor(const ClientMessage& listen, const UpstreamMessage& news);

}  // namespace sallyport::agent
