#pragma once

#include <string>
#include <string_view>

namespace sallyport {

// Appends `text` as a JSON string with its quotes. Control characters, U+2028, U+2029 and the
// bidirectional controls are escaped, so that a terminal or a log reader shows what is there; bytes
// that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);
std::string JsonString(std::string_view text);

}  // namespace sallyport
