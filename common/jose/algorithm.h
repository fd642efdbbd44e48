#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sallyport::jose {

// The signature algorithms that exist here. There is no name for `none` or for an HMAC, so that no
// list can hold one.
enum class Algorithm : std::uint8_t { kRs256, kPs256, kEs256, kEs384, kEdDsa };

// Exact, case-sensitive. nullopt: not one of ours.
std::optional<Algorithm> AlgorithmFromName(std::string_view name);
std::string_view AlgorithmName(Algorithm algorithm);

}  // namespace sallyport::jose
