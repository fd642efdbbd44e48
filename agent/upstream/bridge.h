#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/upstream/transport.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

// A legacy MCP session to a server of the modern era alone, which knows no sessions: they are held
// here. Each request of the client's goes out in the modern form, once. A result that asks for
// input first becomes requests to the client, which come from that request's exchange; when the
// client has answered them, the request goes out again with the answers and the server's state,
// under another id. That is the call's own continuation, as the revision has it, and no repetition:
// the server has said that it is not done and waits for it. Subscriptions and announced changes are
// one subscriptions/listen; ping and logging/setLevel are answered here.
class Bridge final : public Upstream {
 public:
  // `loop` outlives it. `server` is for the log; `repeats_arguments`: the transport has headers
  // that repeat arguments of a call (streamable HTTP).
  Bridge(Loop& loop, std::unique_ptr<Transport> transport, std::string server,
         bool repeats_arguments);
  ~Bridge() override;

  // Asks the server in the client's name what it is; its answer is that to `initialize`. An error
  // when it does not speak the modern era.
  Task<absl::StatusOr<UpstreamMessage>> Introduce(ClientMessage initialize);

  // After Introduce.
  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(const OutboundMessage& request) override;
  Task<absl::Status> Send(const OutboundMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  class Core;
  class Call;
  std::shared_ptr<Core> core_;
};

}  // namespace sallyport::agent
