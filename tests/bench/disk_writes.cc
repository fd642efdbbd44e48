// What a durable write costs on a disk: writes of one size, one after the other, into a file that
// was filled with zeros before, each with its fdatasync, as the agent's recorder writes.
//   disk_writes DIRECTORY BYTES SECONDS      prints {"writes", "latency"}
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/bench/latencies.h"

namespace {

using sallyport::bench::Latencies;
using sallyport::bench::MicrosNow;

constexpr std::size_t kFileBytes = std::size_t{32} << 20;

[[noreturn]] void Die(const char* why) {
  std::perror(why);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: disk_writes DIRECTORY BYTES SECONDS\n");
    return 2;
  }
  const std::string path = std::string(argv[1]) + "/disk_writes";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) Die(path.c_str());
  unlink(path.c_str());
  const std::string zeros(std::size_t{1} << 20, '\0');
  for (std::size_t at = 0; at < kFileBytes; at += zeros.size()) {
    if (pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) Die("write");
  }
  if (fdatasync(fd) != 0) Die("fdatasync");
  const std::string bytes(std::strtoul(argv[2], nullptr, 10), 'x');
  const std::int64_t end =
      MicrosNow() + static_cast<std::int64_t>(std::strtod(argv[3], nullptr) * 1e6);
  Latencies latencies;
  std::size_t at = 0;
  while (MicrosNow() < end) {
    const std::int64_t since = MicrosNow();
    if (pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)) < 0) Die("write");
    if (fdatasync(fd) != 0) Die("fdatasync");
    latencies.Add(MicrosNow() - since);
    at = at + 2 * bytes.size() > kFileBytes ? 0 : at + bytes.size();
  }
  std::printf("{\"writes\":%zu,\"latency\":%s}\n", latencies.count(), latencies.Json().c_str());
}
