#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

// One of the ways in which MCP's messages reach a server: lines of a child, streamable HTTP,
// HTTP+SSE. By itself it is the upstream to a server that speaks as its client does. The calls
// below are this room's own: what goes out by them belongs to a message that was recorded and given
// to Forward or Send, in the form in which its server takes it.
class Transport : public Upstream {
 public:
  // As Forward and Send. The message outlives the call.
  virtual Task<absl::StatusOr<std::unique_ptr<Exchange>>> Call(const ClientMessage& request) = 0;
  virtual Task<absl::Status> Tell(const ClientMessage& message) = 0;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(const OutboundMessage& request) final {
    return Call(request.message());
  }
  Task<absl::Status> Send(const OutboundMessage& message) final { return Tell(message.message()); }
};

}  // namespace sallyport::agent
