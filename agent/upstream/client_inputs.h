#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/mcp/era_bridge.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// What one call has asked the client for, until all of it is answered.
struct Asking {
  explicit Asking(Loop& loop) : settled(loop) {}
  // The object of the answers by their names, as they stand there; empty if nothing was asked for.
  std::string Responses() const;

  struct Input {
    std::string id;
    std::string key;
    std::string answer;
  };
  std::vector<Input> inputs;
  std::size_t open = 0;
  // The error object of an answer that was one.
  std::string error;
  // All is answered, an answer was an error, or nobody waits any more.
  Signal settled;
};

// The requests of a bridge to its client that wait for an answer, by their ids.
class ClientInputs {
 public:
  // The requests for what a server wants, under ids of `new_id`. upstream_invalid when they are too
  // many, or no requests.
  absl::StatusOr<std::vector<UpstreamMessage>> Ask(std::vector<InputRequest> inputs,
                                                   const std::shared_ptr<Asking>& asking,
                                                   const std::function<std::string()>& new_id);
  // Their answers are of no use any more.
  void Stop(const Asking& asking);
  // A client's answer; one to nothing is dropped.
  void OnAnswer(const ClientMessage& message);
  // Wakes all who wait.
  void SettleAll();

 private:
  absl::flat_hash_map<std::string, std::shared_ptr<Asking>> asked_;
};

}  // namespace sallyport::agent
