#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/loop/loop.h"
#include "agent/upstream/transport.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

// What a server turned out to speak: its sessions begin with it. That it speaks the modern era
// alone is not among these: a client can word its initialize so that a server refuses it, and may
// not decide by that what the sessions of others begin with.
enum class ServerProtocol : std::uint8_t {
  kLegacy,
  kSse,  // legacy, over HTTP+SSE
};

struct FirstContactOptions {
  // For the log.
  std::string server;
  // By the transport that the server's entry names: a child's pipe, or streamable HTTP.
  std::unique_ptr<Transport> transport;
  bool is_http = false;
  // By HTTP+SSE; null where that is no way to the server.
  std::function<std::unique_ptr<Transport>()> open_sse;
  // The server's, shared by its sessions.
  std::shared_ptr<ServerProtocol> found;
  // Called when the server has said that it speaks the modern era. Null: nobody is.
  std::function<void()> on_modern;
};

// A legacy client's upstream to a server that may speak something else. The initialize goes to it
// as it is. If the server refuses it (a JSON-RPC error that says that it knows no such method or
// version; HTTP 400, 404 or 405), it is asked whether it is one of the modern era alone, and then
// the session goes on by a Bridge; or else by HTTP+SSE, as MCP asks of clients. Such a refusal says
// that nothing was done, so the initialize is not repeated but offered in another form; anything
// else that is lost stays lost. A server that is neither is told of by its first refusal.
class FirstContact final : public Upstream {
 public:
  // `loop` outlives it.
  FirstContact(Loop& loop, FirstContactOptions options);
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
