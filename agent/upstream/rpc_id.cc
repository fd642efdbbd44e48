#include "agent/upstream/rpc_id.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "agent/mcp/json_text.h"

namespace sallyport::agent {

std::string CanonicalId(std::string_view literal) {
  std::string out(literal);
  if (literal.size() >= 2 && literal.front() == '"') {
    if (literal.find('\\') == std::string_view::npos) return out;
    std::string decoded = "\"";
    if (!AppendJsonUnescaped(decoded, literal.substr(1, literal.size() - 2))) return out;
    return decoded + "\"";
  }
  if (literal.find_first_of(".eE") == std::string_view::npos) return out;
  // Beyond 2^53 two integers may have one double, so such a literal stays as it is.
  constexpr double kExact = 9007199254740992.0;
  double value = std::strtod(out.c_str(), nullptr);
  if (std::fabs(value) > kExact || value != std::floor(value)) return out;
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", value);
  return text;
}

}  // namespace sallyport::agent
