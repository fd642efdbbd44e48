#pragma once

#include "absl/status/status.h"

namespace sallyport {

// Keeps what this process holds in memory from other processes of the same user and from core
// files: PR_SET_DUMPABLE 0, RLIMIT_CORE 0. Also ignores SIGPIPE and SIGXFSZ, so that a peer that
// hangs up and a file that has reached its limit are error codes. Call first thing in main.
absl::Status HardenProcess();

}  // namespace sallyport
