#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sallyport::agent {

// Shakes hands with the door `server_name` at `address` (host:port), sends nothing, and returns the
// CA (PEM) of the chain it shows: the one whose SubjectPublicKeyInfo has the SHA-256 `pin`, and to
// which the chain must lead. kUnauthenticated when there is none: whoever answers there is not the
// control plane that was meant. kUnavailable when nobody answers within `timeout`. Blocks.
absl::StatusOr<std::string> FetchPinnedCa(const std::string& address,
                                          const std::string& server_name, const std::string& pin,
                                          absl::Time now, absl::Duration timeout);

}  // namespace sallyport::agent
