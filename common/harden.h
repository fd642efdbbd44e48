#pragma once

#include "absl/status/status.h"

namespace sallyport {

// Keeps what this process holds in memory from other processes of the same user and from core
// files: PR_SET_DUMPABLE 0, RLIMIT_CORE 0. Also ignores SIGPIPE, so that a peer that hangs up is an
// error code. Call first thing in main.
absl::Status HardenProcess();

}  // namespace sallyport
