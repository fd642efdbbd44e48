#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::agent {

// Where `shown`, a JSON object, says something else than `original`, of which it was made: RFC
// 6901,
// `*` for any member where a name was changed. One empty pointer where that cannot be told, or
// where there are too many.
std::vector<std::string> CutPlaces(std::string_view original, std::string_view shown);

}  // namespace sallyport::agent
