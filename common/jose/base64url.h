#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sallyport::jose {

// Without padding (RFC 7515, 2).
std::string Base64UrlEncode(std::string_view bytes);

// Canonical only: no padding, no other character, unused bits zero, so that each byte string has
// exactly one text. nullopt otherwise.
std::optional<std::string> Base64UrlDecode(std::string_view text);

}  // namespace sallyport::jose
