#include "common/cli/holds_token.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/strings.h"

namespace sallyport {

bool HoldsToken(std::string_view word) {
  return word.find("eyJ") != std::string_view::npos ||
         absl::StartsWithIgnoreCase(absl::StripAsciiWhitespace(ToAbsl(word)), "bearer ");
}

}  // namespace sallyport
