#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// Arguments that hold something themselves or say where it is: `-` is standard input, where no list
// of processes shows it.
namespace sallyport::controlplane {

// All of standard input.
std::string StandardInput();

// A JWT, also with `Bearer ` before it, or the file that holds one. Errors name the file and the
// system's reason, never a token.
absl::StatusOr<std::string> ReadToken(const std::string& word);

// A JSON object, as it stands, or the file that holds one. kInvalidArgument, naming the flag and
// the place, for what is none.
absl::StatusOr<std::string> ReadJsonObject(std::string_view flag, const std::string& word);

}  // namespace sallyport::controlplane
