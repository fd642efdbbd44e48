#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// A text's ASCII letters and digits, in lower case: what is left of a value however it is cut up,
// quoted, spaced, wrapped or written in other case.
namespace sallyport::agent {

// The skeleton of `text`, made in `memory`, which grows where it must and is kept.
std::string_view MakeSkeleton(std::string_view text, std::string& memory);

// The offset in `text` of each character of its skeleton.
std::vector<std::uint32_t> SkeletonOffsets(std::string_view text);

}  // namespace sallyport::agent
