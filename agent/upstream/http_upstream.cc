#include "agent/upstream/http_upstream.h"

#include <utility>

#include "agent/upstream/connection_pool.h"
#include "agent/upstream/http_answer.h"
#include "agent/upstream/http_session.h"
#include "agent/upstream/upstream_error.h"
#include "common/status_macros.h"

namespace sallyport::agent {

HttpUpstream::HttpUpstream(Loop& loop, DeadlineSweep& sweep, HttpOptions options)
    : session_(std::make_shared<HttpSession>(loop, sweep, std::move(options))) {}

HttpUpstream::~HttpUpstream() { session_->Lose(UpstreamLost("the session has ended")); }

Task<absl::StatusOr<std::unique_ptr<Exchange>>> HttpUpstream::Call(const ClientMessage& request) {
  auto session = session_;
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                      co_await session->Post(request, session->options().exchange_timeout));
  co_return std::make_unique<HttpAnswer>(session, std::move(connection), request);
}

Task<absl::Status> HttpUpstream::Tell(const ClientMessage& message) {
  auto session = session_;
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                      co_await session->Post(message, session->options().reply_timeout));
  {
    const ConnectionPool::Busy busy(session->pool(), *connection);
    if (absl::Status read = co_await connection->ReadHead(); !read.ok())
      co_return ConnectionError(read);
    CO_RETURN_IF_ERROR(session->CheckHead(*connection));
  }
  session->pool().KeepOnceDone(std::move(connection));
  if (message.method == "notifications/initialized") session->StartListening();
  co_return absl::OkStatus();
}

Task<absl::StatusOr<UpstreamMessage>> HttpUpstream::NextUnrelated() {
  return session_->NextUnrelated();
}
Task<void> HttpUpstream::Close() { return session_->Close(); }

}  // namespace sallyport::agent
