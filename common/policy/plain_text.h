#pragma once

#include <string>
#include <string_view>

namespace sallyport {

// `text` (UTF-8) as a reader sees it that normalises Unicode (NFKC, or a code page's best fit) and
// looks at letters alone: full-width forms and other dots, slashes and spaces as ASCII, without
// what is not seen at all. For this folder alone.
std::string PlainText(std::string_view text);

std::string WithoutSpacesBefore(std::string text);
std::string WithoutSpacesBehind(std::string text);

inline bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace sallyport
