#pragma once

#include <string>

#include "controlplane/cli/cli.h"
#include "sallyport/admin/v1/agent_service.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// Why a session is over, or was never opened, in one word. Empty: it is neither.
std::string Why(const types::v1::Session& session);

// To stderr: that an agent has not confirmed that it has cut what has ended, and how long it may go
// on.
void WarnOfAway(const admin::v1::AwayAgent& agent);

// `sessions end ID` and `sessions end --principal REALM:NAME`.
void AddEndCommand(CommandLine& line, CLI::App& sessions);

}  // namespace sallyport::controlplane
