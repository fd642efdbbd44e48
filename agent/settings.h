#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/listen/proxy_header.h"
#include "agent/record/recorder.h"
#include "sallyport/config/v1/agent_config.pb.h"

// agent.yaml, read and judged.
namespace sallyport::agent {

// Everything that can be judged of a configuration without touching the network, the control plane
// or the data directory: `config check`.
absl::Status CheckConfig(const config::v1::AgentConfig& config);

// Everything that `serve` reads of this machine, read as it would read it: its enrollment (before
// that, the join string), its keys, each server's credentials, and whether servers can be isolated.
// Takes CheckConfig as passed, and changes nothing. What it gives are warnings.
absl::StatusOr<std::vector<std::string>> CheckMachine(const config::v1::AgentConfig& config);

// What the file leaves out.
void FillDefaults(config::v1::AgentConfig& config);

absl::StatusOr<Durability> ReadDurability(const config::v1::AgentConfig& config);
absl::StatusOr<std::vector<Network>> ReadProxies(const config::v1::AgentConfig& config);

// What the keys of sessions are derived from; it must outlive restarts, or an approval that was
// given could not be used any more.
std::string SessionSecretFile(const std::string& data_dir);

}  // namespace sallyport::agent
