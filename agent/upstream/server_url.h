#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport::agent {

// Where an HTTP server is.
struct ServerUrl {
  bool is_tls = true;
  // A name in lower case, or an address without brackets.
  std::string host;
  std::string port;
  // For the Host field.
  std::string authority;
  // Path and query.
  std::string target;
};

// https, or http for a literal loopback address. No user info, no fragment.
absl::StatusOr<ServerUrl> ParseServerUrl(std::string_view url);

// Path and query of what `reference`, a URL or a relative one as a server gives it, names at
// `base`'s origin. kInvalidArgument for any other origin, and for what cannot be sent or holds dot
// segments.
absl::StatusOr<std::string> ResolveTarget(const ServerUrl& base, std::string_view reference);

}  // namespace sallyport::agent
