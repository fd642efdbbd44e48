#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::agent {

// The OAuth protected resource metadata of one server, or of the agent as a whole (RFC 9728). It is
// the same for every well-formed name, so that it tells nobody which servers there are. `scopes`
// are those that nobody gets in without; more are left to the challenge of the operation that needs
// them.
std::string ProtectedResourceMetadata(std::string_view resource,
                                      const std::vector<std::string>& authorization_servers,
                                      const std::vector<std::string>& scopes);

}  // namespace sallyport::agent
