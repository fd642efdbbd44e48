#include "agent/record/count_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "agent/record/segment_file.h"
#include "agent/record/spool_entry.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// As in the file, in the machine's byte order.
struct Entry {
  CountKey key;
  std::int64_t unix_millis;
  std::uint32_t within_millis;
  std::uint32_t calls;
  std::uint32_t magic;
  // CRC-32C of all before it.
  std::uint32_t crc;
};
static_assert(sizeof(Entry) == 40);
constexpr std::uint32_t kMagic = 0x31435053;

std::uint32_t CrcOf(const Entry& entry) {
  return Crc32c(0, {reinterpret_cast<const char*>(&entry), offsetof(Entry, crc)});
}

std::uint32_t Narrow(std::int64_t n) {
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(n, 0, kMost));
}

std::string ToBytes(absl::Span<const CountedCall> calls) {
  std::string bytes;
  bytes.reserve(calls.size() * sizeof(Entry));
  for (const CountedCall& call : calls) {
    Entry entry{.key = call.key,
                .unix_millis = absl::ToUnixMillis(call.at),
                .within_millis = Narrow(
                    absl::ToInt64Milliseconds(absl::Ceil(call.within, absl::Milliseconds(1)))),
                .calls = Narrow(static_cast<std::int64_t>(
                    std::min<std::uint64_t>(call.calls, std::numeric_limits<std::int64_t>::max()))),
                .magic = kMagic,
                .crc = 0};
    entry.crc = CrcOf(entry);
    bytes.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
  }
  return bytes;
}

std::optional<CountedCall> FromBytes(std::string_view bytes) {
  Entry entry;
  if (bytes.size() < sizeof(entry)) return std::nullopt;
  std::memcpy(&entry, bytes.data(), sizeof(entry));
  if (entry.magic != kMagic || entry.crc != CrcOf(entry)) return std::nullopt;
  return CountedCall{.key = entry.key,
                     .at = absl::FromUnixMillis(entry.unix_millis),
                     .within = absl::Milliseconds(entry.within_millis),
                     .calls = entry.calls};
}

}  // namespace

CountFile::CountFile(CountFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

CountFile& CountFile::operator=(CountFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

CountFile::~CountFile() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<CountFile> CountFile::Open(std::string path, std::vector<CountedCall>& calls) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return IoError("open", path, errno);
  CountFile file(std::move(path), fd);
  struct stat found {};
  if (fstat(fd, &found) != 0) return IoError("read", file.path_, errno);
  const auto bytes = static_cast<std::uint64_t>(found.st_size);
  ASSIGN_OR_RETURN(const std::string all, ReadAll(fd, 0, bytes, file.path_));
  std::string_view rest = all;
  while (std::optional<CountedCall> call = FromBytes(rest)) {
    calls.push_back(*call);
    rest.remove_prefix(sizeof(Entry));
    ++file.size_;
  }
  if (rest.empty()) return file;
  LogError("call_counts_damaged",
           {{"file", file.path_},
            {"unreadable_bytes", rest.size()},
            {"detail", "the calls that were counted there no longer count against any limit"}});
  if (ftruncate(fd, static_cast<off_t>(file.size_ * sizeof(Entry))) != 0) {
    return IoError("cut", file.path_, errno);
  }
  return file;
}

absl::Status CountFile::Add(absl::Span<const CountedCall> calls) {
  RETURN_IF_ERROR(WriteAll(fd_, ToBytes(calls), size_ * sizeof(Entry), path_));
  size_ += calls.size();
  return absl::OkStatus();
}

absl::Status CountFile::Replace(absl::Span<const CountedCall> calls) {
  const std::string fresh = path_ + ".new";
  const int fd = open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return IoError("make", fresh, errno);
  CountFile replacement(path_, fd);
  RETURN_IF_ERROR(replacement.Add(calls));
  if (std::rename(fresh.c_str(), path_.c_str()) != 0) return IoError("rename", fresh, errno);
  *this = std::move(replacement);
  return absl::OkStatus();
}

}  // namespace sallyport::agent
