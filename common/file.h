#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sallyport {

// The whole of a regular file. kNotFound, kPermissionDenied, kResourceExhausted when it is larger
// than `max_bytes`; messages name the path.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes = 16 << 20);

// As ReadFile, for what nobody else may read: a regular file and no symbolic link, owned by us or
// by root, without any bit for group or others. Else kFailedPrecondition with the file, its mode
// and the command that mends it.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path,
                                           std::size_t max_bytes = 1 << 20);

// ReadSecretFile without one final line break (LF or CRLF).
absl::StatusOr<std::string> ReadSecretLine(const std::string& path);

// Replaces `path` whole or not at all, and durably: a temporary file beside it, fsync, rename,
// fsync of the directory. `mode` is exact, whatever the umask.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes,
                                 mode_t mode = 0600);

// Makes the directory (and what is missing above it) with mode 0700. One that exists must be a
// directory of ours or root's that others cannot write to, else kFailedPrecondition.
absl::Status EnsurePrivateDirectory(const std::string& path);

}  // namespace sallyport
