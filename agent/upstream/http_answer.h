#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/http/sse.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/upstream/connection_pool.h"
#include "agent/upstream/event_stream.h"
#include "agent/upstream/http_session.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

// What a streamable HTTP server answers to one request: one message, or a stream of them. It is
// read in its caller's own coroutine: nothing is queued, and a slow client slows the server down.
class HttpAnswer final : public Exchange {
 public:
  // `connection`: on which the request has gone out.
  HttpAnswer(std::shared_ptr<HttpSession> session, ConnectionPtr connection,
             const ClientMessage& request);

  Task<absl::StatusOr<UpstreamMessage>> Next() override;
  void Cancel() override;

 private:
  // What comes next. `dropped` says in words why nobody may have it; empty: it is the caller's.
  Task<absl::StatusOr<UpstreamMessage>> Read(std::string_view& dropped);
  // The next message of a batch.
  UpstreamMessage TakeRest(std::string_view& dropped);
  // Why nobody may have the message; empty: the caller may.
  std::string_view WhyDropped(const UpstreamMessage& message) const;
  // In the modern era some JSON-RPC errors have an HTTP status of their own, and so they have when
  // a server of that era alone is asked to initialize.
  bool IsErrorResponse() const;
  // The stream's next event, on whatever connection carries the stream by then.
  Task<absl::StatusOr<SseEvent>> NextEvent();
  // The request is not sent again, whatever happens: only its answer is asked for.
  Task<bool> TakeUp();
  bool IsAnswer(const UpstreamMessage& message) const;

  std::shared_ptr<HttpSession> session_;
  ConnectionPtr connection_;
  std::optional<ConnectionPool::Busy> busy_;
  std::string id_;
  bool is_initialize_;
  bool is_modern_;
  bool is_cancelled_ = false;
  bool is_over_ = false;
  // Set: the answer is a stream.
  std::optional<EventStream> events_;
  StreamPlace place_;
  Signal stop_;
  const Loop::Time until_;
  // What of a batch has not been taken.
  std::deque<UpstreamMessage> rest_;
};

}  // namespace sallyport::agent
