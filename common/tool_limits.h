#pragma once

#include <cstddef>
#include <string_view>

// What agents and the control plane keep of what servers say of their tools. A server names its
// tools as it likes; what is kept of them has an end.
namespace sallyport {

inline constexpr std::size_t kMaxToolNameBytes = 4096;
// Of one definition, for people to read and to compare; its hash is of all of it.
inline constexpr std::size_t kMaxDefinitionBytes = 256u << 10;
inline constexpr std::size_t kMaxToolsOfServer = 4096;

// Whether a tool of that name can be pinned to anything.
constexpr bool CanBePinned(std::string_view tool) {
  return !tool.empty() && tool.size() <= kMaxToolNameBytes;
}

}  // namespace sallyport
