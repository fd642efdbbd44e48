#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sallyport::controlplane {

// One spelling for one address: an IPv4 address that travels in IPv6 is the IPv4 address, and IPv6
// is written as RFC 5952 has it. kInvalidArgument where it is no IP address.
absl::StatusOr<std::string> CanonicalAddress(const std::string& address);

}  // namespace sallyport::controlplane
