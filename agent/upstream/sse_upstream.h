#pragma once

#include <memory>

#include "agent/loop/loop.h"
#include "agent/upstream/http_connection.h"
#include "agent/upstream/http_options.h"
#include "agent/upstream/transport.h"

namespace sallyport::agent {

// A server of MCP's first HTTP transport (2024-11-05, "HTTP+SSE") as one MCP session's upstream: a
// GET opens the session's one event stream, whose event `endpoint`, before any message, names where
// messages are POSTed; all that the server says comes on the stream. The session is the stream:
// when it ends, all that is in flight is lost, and nothing is sent again.
//
// Of an endpoint only path and query are taken, and only if it is at the configured URL's origin,
// so that a server cannot turn requests, or the credentials in them, elsewhere. All else is as with
// HttpUpstream: requests are built from nothing, redirects are not followed, and a line that would
// be a message and is not clean ends every request in flight.
class SseUpstream final : public Transport {
 public:
  // `loop` and `sweep` outlive it. The server is contacted by the first request.
  SseUpstream(Loop& loop, DeadlineSweep& sweep, HttpOptions options);
  ~SseUpstream() override;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Call(const ClientMessage& request) override;
  Task<absl::Status> Tell(const ClientMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace sallyport::agent
