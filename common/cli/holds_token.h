#pragma once

#include <string_view>

namespace sallyport {

// Whether a word of a command must not be shown: something in it begins as every JWT does, or all
// of it as the header of a token.
bool HoldsToken(std::string_view word);

}  // namespace sallyport
