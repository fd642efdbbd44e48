#pragma once

#include <string>
#include <string_view>

// Text from outside for people's eyes: a tool's name must not move the cursor, nor an argument read
// other than it is.
namespace sallyport {

// Control, bidirectional, zero-width and tag characters, line separators, and the fillers that look
// like nothing: what makes a reader see something else than what is there.
bool IsUnsafeToShow(char32_t c);

// Those as \u{202e}, bytes that are not UTF-8 as \x{ff}.
std::string Printable(std::string_view text);

// JSON on one line, the same value, with those as \u202e within its strings and bytes that are not
// UTF-8 as U+FFFD. What is no JSON comes out as safe.
std::string PrintableJson(std::string_view json);

}  // namespace sallyport
