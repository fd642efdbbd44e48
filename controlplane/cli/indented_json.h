#pragma once

#include <string>
#include <string_view>

namespace sallyport::controlplane {

// JSON with each member and element on a line of its own, so that two texts can be compared line by
// line. Not a byte of a string or number changes. `json` must be JSON without white space between
// its tokens.
std::string IndentedJson(std::string_view json);

}  // namespace sallyport::controlplane
