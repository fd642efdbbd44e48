#pragma once

#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {

// Asks the control plane whom it takes the caller for, and prints it; returns the exit code.
int ShowCaller(const ClientOptions& options);

}  // namespace sallyport::controlplane
