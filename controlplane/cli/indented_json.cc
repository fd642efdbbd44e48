#include "controlplane/cli/indented_json.h"

#include <cstddef>

namespace sallyport::controlplane {
namespace {

// The end of the string that begins at `at`.
std::size_t StringEnd(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return at < json.size() ? at + 1 : json.size();
}

}  // namespace

std::string IndentedJson(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  const auto break_line = [&] { out.append("\n").append(2 * depth, ' '); };
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const std::size_t end = StringEnd(json, at);
      out.append(json.substr(at, end - at));
      at = end;
      continue;
    }
    const bool is_open = c == '{' || c == '[';
    const bool is_close = c == '}' || c == ']';
    const bool is_empty =
        is_open && at + 1 < json.size() && (json[at + 1] == '}' || json[at + 1] == ']');
    if (is_empty) {
      out.append(json.substr(at, 2));
      at += 2;
      continue;
    }
    if (is_close && depth > 0) {
      --depth;
      break_line();
    }
    out.push_back(c);
    if (is_open) ++depth;
    if (is_open || c == ',') break_line();
    if (c == ':') out.push_back(' ');
    ++at;
  }
  out.push_back('\n');
  return out;
}

}  // namespace sallyport::controlplane
