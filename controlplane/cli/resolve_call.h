#pragma once

#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {

// `sessions resolve ID CALL --outcome done|not_done`.
void AddResolveCommand(CommandLine& line, CLI::App& sessions);

}  // namespace sallyport::controlplane
