#include "agent/mcp/protocol_names.h"

#include <algorithm>

namespace sallyport::agent {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Equal but for case, as the most lenient readers fold it: Go's encoding/json also takes U+017F for
// s and U+212A for k.
bool IsSameFolded(std::string_view key, std::string_view name) {
  std::size_t i = 0;
  for (const char expected : name) {
    if (i >= key.size()) return false;
    char c = key[i];
    if (key.substr(i, 2) == "\u017f") {
      c = 's';
      i += 2;
    } else if (key.substr(i, 3) == "\u212a") {
      c = 'k';
      i += 3;
    } else {
      ++i;
    }
    if (Lower(c) != Lower(expected)) return false;
  }
  return i == key.size();
}

}  // namespace

std::size_t ProtocolNames::FindTwin(std::string_view key) const {
  const bool is_ascii =
      std::none_of(key.begin(), key.end(), [](char c) { return (c & 0x80) != 0; });
  // A letter of ASCII folds to one of its own length.
  if (is_ascii && key.size() > kMaxLength) return kOther;
  const std::size_t first = is_ascii ? first_[key.size()] : 0;
  const std::size_t end = is_ascii ? first_[key.size() + 1] : size_;
  for (std::size_t i = first; i < end; ++i) {
    if (IsSameFolded(key, names_[i])) return kTwin;
  }
  return kOther;
}

}  // namespace sallyport::agent
