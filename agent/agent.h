#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sallyport/config/v1/agent_config.pb.h"

namespace sallyport::agent {

// Everything that can be judged of a configuration without touching the network, the control plane
// or the data directory: `config check`.
absl::Status CheckConfig(const config::v1::AgentConfig& config);

// Everything that `serve` reads of this machine, read as it would read it: its enrollment (before
// that, the join string), its keys, each server's credentials, and whether servers can be isolated.
// Takes CheckConfig as passed, and changes nothing. What it gives are warnings.
absl::StatusOr<std::vector<std::string>> CheckMachine(const config::v1::AgentConfig& config);

// The agent, wired: the rooms in the order in which they need each other.
class Agent {
 public:
  // Enrolls where that is still to do, recovers what the last run left, binds the listeners. An
  // error says what to do about it; nothing serves then.
  static absl::StatusOr<std::unique_ptr<Agent>> Create(config::v1::AgentConfig config);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Serves until SIGTERM or SIGINT; then lets calls in flight finish for a moment, ends every
  // session with its end record, ships what it can, and returns. Logs `ready` once it serves.
  void Run();

 private:
  struct Parts;
  explicit Agent(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sallyport::agent
