#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <cstdint>
#include <fstream>
#include <future>
#include <string>

#include "absl/functional/function_ref.h"

namespace sallyport {

// Runs `body` in a thread of its own for which a small file system lies at `dir`, which exists; the
// rest of the process does not see it. False: that takes root, and nothing was run.
inline bool OnSmallDisk(const std::string& dir, uint64_t bytes, absl::FunctionRef<void()> body) {
  return std::async(std::launch::async,
                    [&] {
                      const std::string options = "mode=700,size=" + std::to_string(bytes);
                      if (unshare(CLONE_NEWNS) != 0 ||
                          mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                          mount("tmpfs", dir.c_str(), "tmpfs", 0, options.c_str()) != 0) {
                        return false;
                      }
                      body();
                      return true;
                    })
      .get();
}

// Writes to `path` until the disk takes no more byte.
inline void FillDisk(const std::string& path) {
  for (const std::streamsize piece : {65536, 1}) {
    std::ofstream file(path, std::ios::app | std::ios::binary);
    const std::string bytes(static_cast<std::size_t>(piece), '\0');
    while (file.write(bytes.data(), piece).flush()) {
    }
  }
}

}  // namespace sallyport
