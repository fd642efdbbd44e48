#pragma once

#include "agent/call/gateway.h"

namespace sallyport::agent {

// What time alone ends: sessions, streams whose token has run out, servers that started for nobody,
// approvals that lapsed. Called a few times a second.
void Sweep(Gateway& gateway);

}  // namespace sallyport::agent
