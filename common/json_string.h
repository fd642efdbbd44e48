#pragma once

#include <string>
#include <string_view>

namespace sallyport {

// Appends `text` as a JSON string with its quotes. What is unsafe to show (common/printable) is
// escaped, so that a terminal or a log reader shows what is there; bytes that are not UTF-8 become
// U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);
std::string JsonString(std::string_view text);

// Appends the character as it is escaped within a string: \n, \u202e, or two of them for one beyond
// U+FFFF.
void AppendJsonEscape(char32_t c, std::string* out);

}  // namespace sallyport
