#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

// The built-in detectors by name: what `mask` in a policy and `detectors` in a mask profile may
// say. The one table: documents are checked against it, and agent/mask builds its engine from it.
namespace sallyport {

struct DetectorName {
  std::string_view name;
  // The group that includes it.
  std::string_view group;
};

inline constexpr std::string_view kSecretsGroup = "secrets";
inline constexpr std::string_view kPiiGroup = "pii";

inline constexpr std::array<DetectorName, 8> kDetectors = {{
    {"aws", kSecretsGroup},
    {"github", kSecretsGroup},
    {"slack", kSecretsGroup},
    {"jwt", kSecretsGroup},
    {"pem", kSecretsGroup},
    {"url_credentials", kSecretsGroup},
    {"email", kPiiGroup},
    {"card", kPiiGroup},
}};

constexpr bool IsDetectorGroup(std::string_view name) {
  return name == kSecretsGroup || name == kPiiGroup;
}

// Both groups and all detectors, for who asks which there are.
inline std::vector<std::string> DetectorWords() {
  std::vector<std::string> words = {std::string(kSecretsGroup), std::string(kPiiGroup)};
  for (const DetectorName& detector : kDetectors) words.emplace_back(detector.name);
  return words;
}

constexpr bool IsDetector(std::string_view name) {
  for (const DetectorName& detector : kDetectors) {
    if (detector.name == name) return true;
  }
  return false;
}

}  // namespace sallyport
