#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// What the server says about one forwarded request, in order; the last message is the response.
// Destroying it before that gives up on the rest: a response that comes later is dropped.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // The next message. kUnavailable: the server or the connection is lost, and whether the request
  // took effect is unknown; kInvalidArgument: the server sent something that is not one clean
  // message; kDeadlineExceeded; limit_exceeded: nobody took what came while others waited for what
  // came behind it, or there was no room for what is long. After an error, or the response, there
  // is no next.
  virtual Task<absl::StatusOr<UpstreamMessage>> Next() = 0;

  // Wakes who waits in Next with kCancelled, in a later turn; from then on there is no next, and a
  // response that comes later is dropped. In the legacy era it says nothing to the server: that is
  // the client's notifications/cancelled. In the modern era it tells the server, as a client does
  // by closing its stream. Idempotent.
  virtual void Cancel() = 0;
};

// One connection to one server: a stdio child, or a streamable HTTP server. A legacy MCP session
// has its own; the modern calls of a just-in-time session share one. On the loop's thread.
class Upstream {
 public:
  virtual ~Upstream() = default;

  // Forwards a request once. An error means that no byte went out (kUnavailable: no child, no
  // connection; message_too_large: it cannot be said in the server's form); once a byte has, every
  // failure comes from the exchange and nothing is sent again.
  virtual Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(
      const OutboundMessage& request) = 0;

  // Forwards a notification, or the client's answer to a server's request.
  virtual Task<absl::Status> Send(const OutboundMessage& message) = 0;

  // The next message that belongs to no request in flight (list_changed, logging, a server's
  // request with none to relate it to). kUnavailable when the connection has ended; there is no
  // next then. One caller at a time.
  virtual Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() = 0;

  // Ends it: an HTTP session is deleted, a child and all its descendants are gone when this
  // returns. Whoever waits in the calls above, or in an exchange of this upstream, gets
  // kUnavailable as soon as this begins. Idempotent.
  virtual Task<void> Close() = 0;
};

}  // namespace sallyport::agent
