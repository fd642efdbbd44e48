#pragma once

#include <cstddef>

// How much of a call a person can be asked to read, and an agent may tell the control plane.
namespace sallyport {

// Arguments; other params; a tool's definition.
inline constexpr std::size_t kMaxShownBytes = 1u << 20;
// A method, or what it names.
inline constexpr std::size_t kMaxCallNameBytes = 4096;

}  // namespace sallyport
