#include "common/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace sallyport {
namespace {

void FillFromKernel(char* bytes, std::size_t n) {
  while (n > 0) {
    ssize_t got = getrandom(bytes, n, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();
    }
    bytes += got;
    n -= static_cast<std::size_t>(got);
  }
}

}  // namespace

std::string RandomBytes(std::size_t n) {
  std::string bytes(n, '\0');
  FillFromKernel(bytes.data(), n);
  return bytes;
}

double RandomFraction() {
  char bytes[sizeof(std::uint64_t)];
  FillFromKernel(bytes, sizeof bytes);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value >> 11) * 0x1.0p-53;
}

}  // namespace sallyport
