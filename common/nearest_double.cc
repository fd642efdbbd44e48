#include "common/nearest_double.h"

#include <array>
#include <charconv>
#include <cmath>

#include "absl/strings/numbers.h"
#include "common/strings.h"

namespace sallyport {

std::string NearestDouble(std::string_view number) {
  double nearest = 0;
  // Infinite where it is beyond all doubles.
  if (!absl::SimpleAtod(ToAbsl(number), &nearest)) return std::string(number);
  if (std::isinf(nearest)) return nearest > 0 ? "1e309" : "-1e309";
  if (nearest == 0) return "0";
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.begin(), text.end(), nearest);
  return error == std::errc() ? std::string(text.begin(), end) : std::string(number);
}

}  // namespace sallyport
