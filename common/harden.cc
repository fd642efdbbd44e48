#include "common/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace sallyport {

absl::Status HardenProcess() {
  rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0)
    return absl::ErrnoToStatus(errno, "cannot turn core files off");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return absl::ErrnoToStatus(errno, "cannot shut this process to debuggers");
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return absl::OkStatus();
}

}  // namespace sallyport
