#pragma once

#include "absl/status/statusor.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"

namespace sallyport::agent {

// A modern message as its server shall see it. `call` learns what it goes on with, if it is a
// retry: its request state is used then. invalid where the state is none for it; the reason of the
// rules where they cannot be made.
absl::StatusOr<ClientMessage> NarrowRequest(Gateway& gateway, GrantedCall& call,
                                            ClientMessage message);

}  // namespace sallyport::agent
