#pragma once

#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {

// `serve --config F` and `config check F`: what the program does itself and not as a client. Beside
// AddClientCommands, in main.
void AddServeCommands(CommandLine& line);

}  // namespace sallyport::controlplane
