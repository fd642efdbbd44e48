#pragma once

#include <cstddef>
#include <string_view>

namespace sallyport {

// The length in bytes of the well-formed UTF-8 character at the front of `text` and, in
// `code_point`, what it is; 0 when there is none: an overlong form, a surrogate, something past
// U+10FFFF, a truncated or stray byte, or nothing.
std::size_t DecodeUtf8(std::string_view text, char32_t* code_point);

// All of it is well formed.
bool IsUtf8(std::string_view text);

}  // namespace sallyport
