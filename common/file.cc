#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/ids.h"
#include "common/status_macros.h"

namespace sallyport {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

absl::Status Failed(int error, std::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(error, absl::StrCat(std::string(what), " ", path));
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path, std::size_t max_bytes) {
  std::string bytes;
  char block[16384];
  while (true) {
    ssize_t got = read(fd, block, sizeof block);
    if (got < 0) {
      if (errno == EINTR) continue;
      return Failed(errno, "cannot read", path);
    }
    if (got == 0) return bytes;
    bytes.append(block, static_cast<std::size_t>(got));
    if (bytes.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, " is larger than ", max_bytes, " bytes"));
    }
  }
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return Failed(errno, "cannot write", path);
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return absl::OkStatus();
}

std::string DirectoryOf(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

bool IsOursOrRoots(const struct stat& info) { return info.st_uid == geteuid() || info.st_uid == 0; }

absl::Status CheckSecretFile(const struct stat& info, const std::string& path) {
  if (!S_ISREG(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  if (!IsOursOrRoots(info)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s belongs to user %d, who could change it: chown it to the user of this program", path,
        info.st_uid));
  }
  if ((info.st_mode & 0077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s has mode %04o, so that others can use it: chmod 600 %s", path,
                        info.st_mode & 07777, path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return Failed(errno, "cannot open", path);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return Failed(errno, "cannot look at", path);
  if (!S_ISREG(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  return ReadAll(file.get(), path, max_bytes);
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path, std::size_t max_bytes) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!file.is_open()) {
    if (errno == ELOOP) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " is a symbolic link: name the file itself"));
    }
    return Failed(errno, "cannot open", path);
  }
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return Failed(errno, "cannot look at", path);
  RETURN_IF_ERROR(CheckSecretFile(info, path));
  return ReadAll(file.get(), path, max_bytes);
}

absl::StatusOr<std::string> ReadSecretLine(const std::string& path) {
  ASSIGN_OR_RETURN(std::string line, ReadSecretFile(path));
  if (line.ends_with('\n')) line.pop_back();
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode) {
  const std::string directory = DirectoryOf(path);
  const std::string temporary = absl::StrCat(path, ".", NewRequestId(), ".tmp");
  // Made for us alone, so that nothing can be read before the mode is set.
  Descriptor file(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return Failed(errno, "cannot make", temporary);
  absl::Cleanup remove = [&] { unlink(temporary.c_str()); };
  RETURN_IF_ERROR(WriteAll(file.get(), bytes, temporary));
  if (fchmod(file.get(), mode) != 0) return Failed(errno, "cannot set the mode of", temporary);
  if (fsync(file.get()) != 0) return Failed(errno, "cannot sync", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return Failed(errno, "cannot replace", path);
  std::move(remove).Cancel();
  Descriptor parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.is_open() || fsync(parent.get()) != 0) return Failed(errno, "cannot sync", directory);
  return absl::OkStatus();
}

absl::Status EnsurePrivateDirectory(const std::string& path) {
  std::filesystem::path so_far;
  for (const auto& part : std::filesystem::path(path)) {
    so_far /= part;
    if (mkdir(so_far.c_str(), 0700) != 0 && errno != EEXIST) {
      // Systems with a read-only root say EROFS or EACCES for a directory that exists.
      struct stat info {};
      const int error = errno;
      if (stat(so_far.c_str(), &info) != 0) return Failed(error, "cannot make", so_far.string());
    }
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Failed(errno, "cannot look at", path);
  if (!S_ISDIR(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a directory"));
  if (!IsOursOrRoots(info)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " belongs to another user"));
  }
  if ((info.st_mode & 0022) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s has mode %04o, so that others can write to it: chmod 700 %s", path,
                        info.st_mode & 07777, path));
  }
  return absl::OkStatus();
}

}  // namespace sallyport
