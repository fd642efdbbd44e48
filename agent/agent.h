#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "sallyport/config/v1/agent_config.pb.h"

namespace sallyport::agent {

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
