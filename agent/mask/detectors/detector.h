#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "common/policy/detectors.h"

// What the built-in detectors look for. Two kinds: secrets with a fixed part, found by one literal
// search over a whole message and then read to their ends by hand; and numbers and addresses, found
// by their digits and at signs. No word boundary is asked for before a fixed part: a token glued to
// a letter is a token.
namespace sallyport::agent {

class TextSites;

enum class Detector : std::uint8_t {
  kAws,
  kGithub,
  kSlack,
  kJwt,
  kPem,
  kUrlCredentials,
  kEmail,
  kCard
};
inline constexpr std::size_t kDetectorCount = kDetectors.size();
static_assert(kDetectors[static_cast<std::size_t>(Detector::kCard)].name == "card" &&
                  kDetectorCount == 8,
              "the order is that of common/policy/detectors.h");

inline std::string_view NameOf(Detector detector) {
  return kDetectors[static_cast<std::size_t>(detector)].name;
}

// A half-open range of a text.
struct Match {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A fixed part, and who reads on from there. `read` is given the whole text and where in it the
// literal begins; nullopt: not what it looked like. It may move `barren_until` to say that no
// anchor of its detector before that offset can begin anything either: without that, text made of
// anchors would be read to its end from each of them.
struct Anchor {
  std::string_view literal;
  bool ignores_case = false;
  Detector detector = Detector::kAws;
  std::optional<Match> (*read)(std::string_view text, std::size_t at,
                               std::size_t& barren_until) = nullptr;
};

absl::Span<const Anchor> Anchors();

// A value that may be a secret access key, and a name that says that its value is one.
bool IsAwsSecretValue(std::string_view value);
bool IsAwsSecretName(std::string_view name);

struct PersonalMatch {
  Detector detector = Detector::kEmail;
  Match match;
};

// Appends all card numbers and e-mail addresses in `text`. Texts joined by NUL are separate;
// `sites` are theirs.
void FindPersonal(std::string_view text, const TextSites& sites, std::vector<PersonalMatch>& found);

}  // namespace sallyport::agent
