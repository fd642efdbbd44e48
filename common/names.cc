#include "common/names.h"

#include <algorithm>
#include <cstddef>

namespace sallyport {
namespace {

constexpr std::size_t kMaxName = 63;

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsName(std::string_view name, std::string_view marks) {
  return !name.empty() && name.size() <= kMaxName && IsLetterOrDigit(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return IsLetterOrDigit(c) || marks.find(c) != std::string_view::npos;
         });
}

}  // namespace

bool IsLabel(std::string_view name) { return IsName(name, "-"); }
bool IsServerName(std::string_view name) { return IsName(name, "._-"); }

}  // namespace sallyport
