#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/upstream/http_connection.h"
#include "agent/upstream/http_options.h"
#include "agent/upstream/transport.h"

namespace sallyport::agent {

class HttpSession;

// A streamable HTTP server as one MCP session's upstream, with connections of its own. Every
// request is built from nothing: no field of the client's goes through, and the server's session id
// stays in here. A request goes out once: only a connection that turns out to be dead before its
// first byte is replaced. A stream that ends or breaks before its answer is taken up by a GET with
// Last-Event-ID, where the server has given an id. Redirects are not followed, encoded bodies are
// refused, and what a server says with a status that is no success is not shown to anyone.
class HttpUpstream final : public Transport {
 public:
  // `loop` and `sweep` outlive it.
  HttpUpstream(Loop& loop, DeadlineSweep& sweep, HttpOptions options);
  ~HttpUpstream() override;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Call(const ClientMessage& request) override;
  Task<absl::Status> Tell(const ClientMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  std::shared_ptr<HttpSession> session_;
};

}  // namespace sallyport::agent
