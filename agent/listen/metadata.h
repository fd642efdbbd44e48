#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::agent {

// The OAuth protected resource metadata of one server (RFC 9728). It is the same for every
// well-formed name, so that it tells nobody which servers there are; scopes are left to the
// challenge of the operation that needs them.
std::string ProtectedResourceMetadata(std::string_view resource,
                                      const std::vector<std::string>& authorization_servers);

}  // namespace sallyport::agent
