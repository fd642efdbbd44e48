#pragma once

#include <sys/socket.h>

namespace sallyport::controlplane {

// Whether an identity provider may live at this address: not where only the machine itself, its
// link or its cloud's metadata service does. Loopback only where the operator wrote it as a
// literal.
bool MayConnect(const sockaddr& address, bool loopback_is_meant);

}  // namespace sallyport::controlplane
