#pragma once

#include <string>
#include <string_view>

namespace sallyport::agent {

// One form for the spellings of a JSON-RPC id or progress token that a server's JSON library may
// give back for the one it was sent: escapes decoded, 7.0 and 70e-1 as 7. `7` and `"7"` stay two.
// `literal` is one JSON string or number.
std::string CanonicalId(std::string_view literal);

}  // namespace sallyport::agent
