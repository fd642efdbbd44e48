#pragma once

#include <string_view>

// What things may be called in configurations, documents and URIs.
namespace sallyport {

// [a-z0-9][a-z0-9-]{0,62}: an agent, an issuer entry, a realm. A host label and a part of a URI.
bool IsLabel(std::string_view name);
// [a-z0-9][a-z0-9._-]{0,62}: a server. A path segment.
bool IsServerName(std::string_view name);

}  // namespace sallyport
