#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/upstream/transport.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

// What a server turned out to speak: its sessions begin with it.
enum class ServerProtocol : std::uint8_t { kStreamable, kSse };

// An upstream to an HTTP server that may be older than streamable HTTP. The initialize goes to it
// by streamable HTTP; if it refuses that as a server does that does not know it (HTTP 400, 404 or
// 405), the session goes on by HTTP+SSE, as MCP asks of clients. Such a refusal says that nothing
// was done, so the initialize is not repeated but offered in another form; anything else that is
// lost stays lost.
class FirstContact final : public Upstream {
 public:
  using Opener = std::function<std::unique_ptr<Transport>()>;

  // `found` is the server's, shared by its sessions.
  FirstContact(Opener streamable, Opener sse, std::shared_ptr<ServerProtocol> found);
  ~FirstContact() override;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(const OutboundMessage& request) override;
  Task<absl::Status> Send(const OutboundMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  class Core;
  class Opening;
  static Task<absl::StatusOr<std::unique_ptr<Exchange>>> Open(std::shared_ptr<Core> core,
                                                              ClientMessage initialize);
  std::shared_ptr<Core> core_;
};

}  // namespace sallyport::agent
