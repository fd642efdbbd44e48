#include "common/jose/algorithm.h"

#include <array>
#include <utility>

namespace sallyport::jose {
namespace {

constexpr std::array<std::pair<std::string_view, Algorithm>, 5> kNames = {{
    {"RS256", Algorithm::kRs256},
    {"PS256", Algorithm::kPs256},
    {"ES256", Algorithm::kEs256},
    {"ES384", Algorithm::kEs384},
    {"EdDSA", Algorithm::kEdDsa},
}};

}  // namespace

std::optional<Algorithm> AlgorithmFromName(std::string_view name) {
  for (const auto& [known, algorithm] : kNames) {
    if (known == name) return algorithm;
  }
  return std::nullopt;
}

std::string_view AlgorithmName(Algorithm algorithm) {
  for (const auto& [name, known] : kNames) {
    if (known == algorithm) return name;
  }
  return {};
}

}  // namespace sallyport::jose
