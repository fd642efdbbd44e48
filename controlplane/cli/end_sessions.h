#pragma once

#include <string>

#include "controlplane/cli/cli.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// Why a session is over, or was never opened, in one word. Empty: it is neither.
std::string Why(const types::v1::Session& session);

// `sessions end ID` and `sessions end --principal REALM:NAME`.
void AddEndCommand(CommandLine& line, CLI::App& sessions);

}  // namespace sallyport::controlplane
