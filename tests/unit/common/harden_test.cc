#include "common/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fakes/temp_dir.h"

namespace sallyport {
namespace {

// In a process of its own: what it does cannot be undone. 0, or the step that failed.
int WriteIntoLimits(const std::string& path) {
  if (!HardenProcess().ok()) return 1;
  if (prctl(PR_GET_DUMPABLE) != 0) return 2;
  const rlimit limit{10, 10};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 3;
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return 4;
  char bytes[100] = {};
  if (write(fileno(file), bytes, sizeof bytes) != 10) return 5;
  if (write(fileno(file), bytes, sizeof bytes) != -1 || errno != EFBIG) return 6;
  int ends[2];
  if (pipe(ends) != 0 || close(ends[0]) != 0) return 7;
  return write(ends[1], bytes, 1) == -1 && errno == EPIPE ? 0 : 8;
}

TEST_CASE("a full file and a reader that has gone are errors to a hardened process, not its death",
          "[common]") {
  TempDir dir;
  const pid_t child = fork();
  if (child == 0) _exit(WriteIntoLimits(dir / "file"));
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace sallyport
