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

}  // namespace sallyport::agent
