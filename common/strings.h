#pragma once

#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

// Debian builds abseil with a string_view of its own: these are the two ways across.
namespace sallyport {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// Lower-case hex.
std::string ToHex(std::string_view bytes);

// SHA-256, 32 bytes.
std::string Sha256(std::string_view bytes);

}  // namespace sallyport
