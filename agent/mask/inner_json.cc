#include "agent/mask/inner_json.h"

#include <algorithm>

namespace sallyport::agent {

std::size_t BracketEnd(std::string_view text, std::size_t at) {
  const std::size_t next = text.find_first_not_of(" \t\n\r", at + 1);
  const std::string_view first = text.substr(std::min(next, text.size()), 1);
  if (text[at] == '{' ? first != "\"" : first != "{" && first != "[") return 0;
  std::size_t depth = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

}  // namespace sallyport::agent
