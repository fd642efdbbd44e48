#include "agent/record/segment_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "agent/record/spool_entry.h"
#include "common/operator_detail.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

absl::Status IoError(std::string_view what, std::string_view name, int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return WithOperatorDetail(
      is_full ? absl::ResourceExhaustedError("the agent cannot record: its disk is full")
              : absl::UnavailableError("the agent cannot record: its disk fails"),
      ToStd(
          absl::StrCat("spool: cannot ", ToAbsl(what), " ", ToAbsl(name), ": ", strerror(error))));
}

absl::Status WriteAll(int fd, std::string_view bytes, std::uint64_t offset, std::string_view name) {
  while (!bytes.empty()) {
    ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return IoError("write", name, n < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status ReadInto(std::string& out, int fd, std::uint64_t offset, std::uint64_t bytes,
                      std::string_view name) {
  out.resize(bytes);
  std::uint64_t have = 0;
  while (have < bytes) {
    ssize_t n = pread(fd, out.data() + have, bytes - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return IoError("read", name, errno);
    if (n == 0) break;
    have += static_cast<std::uint64_t>(n);
  }
  out.resize(have);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(int fd, std::uint64_t offset, std::uint64_t bytes,
                                    std::string_view name) {
  std::string out;
  RETURN_IF_ERROR(ReadInto(out, fd, offset, bytes, name));
  return out;
}

absl::Status SyncDir(const std::string& dir) {
  int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) {
    int error = errno;
    if (fd >= 0) close(fd);
    return IoError("sync", dir, error);
  }
  close(fd);
  return absl::OkStatus();
}

std::string AckMark(std::uint64_t generation, std::uint64_t offset) {
  return SegmentHead(generation) + SegmentHead(offset);
}
std::uint64_t ReadAckMark(std::string_view page, std::uint64_t generation) {
  if (page.size() < kAckAt + 48) return 0;
  auto of = ReadSegmentHead(page.substr(kAckAt));
  auto offset = ReadSegmentHead(page.substr(kAckAt + 24));
  return of == generation && offset ? *offset : 0;
}

}  // namespace sallyport::agent
