#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sallyport::agent {

// Whose count it is: the first bytes of the SHA-256 of what names it.
using CountKey = std::array<unsigned char, 16>;

// A call that went out at `at`, and counts where one looks back `within`, and no further than
// `calls` calls.
struct CountedCall {
  CountKey key{};
  absl::Time at;
  absl::Duration within;
  std::uint64_t calls = 0;
};

// Counted calls, one after the other, in a file that outlives the process. What is added is in the
// page cache when Add returns: it survives the death of the agent, and not that of the machine.
class CountFile {
 public:
  // Opens the file, or makes it with mode 0600, and adds what it holds to `calls`, in the
  // order in which it was added. What cannot be read at its end is logged as `call_counts_damaged`
  // and cut off. Errors name the file.
  static absl::StatusOr<CountFile> Open(std::string path, std::vector<CountedCall>& calls);
  CountFile(CountFile&& other) noexcept;
  CountFile& operator=(CountFile&& other) noexcept;
  ~CountFile();

  // All or nothing. Errors as segment_file's IoError.
  absl::Status Add(absl::Span<const CountedCall> calls);
  // These in place of all that it holds. An error leaves it as it was.
  absl::Status Replace(absl::Span<const CountedCall> calls);

  // How many it holds.
  std::size_t size() const { return size_; }

 private:
  CountFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_ = -1;
  std::size_t size_ = 0;
};

}  // namespace sallyport::agent
