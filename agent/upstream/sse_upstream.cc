#include "agent/upstream/sse_upstream.h"

#include <string>
#include <utility>

#include "agent/mcp/capabilities.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_scan.h"
#include "agent/upstream/answer_head.h"
#include "agent/upstream/connection_pool.h"
#include "agent/upstream/event_stream.h"
#include "agent/upstream/message_router.h"
#include "agent/upstream/request_heads.h"
#include "agent/upstream/rpc_id.h"
#include "agent/upstream/upstream_error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

class SseUpstream::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Loop& loop, DeadlineSweep& sweep, HttpOptions options)
      : loop_(loop),
        options_(std::move(options)),
        heads_(options_.url, std::move(options_.headers)),
        pool_(std::make_shared<ConnectionPool>(loop, sweep, PoolOptionsOf(options_))),
        router_(std::make_shared<MessageRouter>(loop)) {}

  MessageRouter& router() { return *router_; }

  // The request goes out; whether the server took it is found out beside its answer, which may come
  // first.
  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(const ClientMessage& request) {
    auto self = shared_from_this();
    if (!stream_) {
      if (absl::Status opened = co_await Open(); !opened.ok()) {
        Lose(opened);
        co_return opened;
      }
    }
    if (request.method == "initialize") initialize_id_ = CanonicalId(request.id);
    MessageRouter::Ticket ticket;
    CO_ASSIGN_OR_RETURN(auto exchange, router_->Register(request, &ticket));
    CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                        co_await Post(request.bytes, options_.exchange_timeout));
    loop_.Spawn(AwaitTaken(self, std::move(connection), std::move(ticket)));
    co_return exchange;
  }

  Task<absl::Status> Send(std::string_view bytes) {
    auto self = shared_from_this();
    if (router_->is_lost()) co_return router_->why();
    if (!stream_) co_return absl::FailedPreconditionError("the session has not begun");
    CO_ASSIGN_OR_RETURN(ConnectionPtr connection, co_await Post(bytes, options_.reply_timeout));
    co_return co_await ReadTaken(std::move(connection));
  }

  void Lose(absl::Status why) {
    pool_->Shut(why);
    router_->Lose(std::move(why));
  }

 private:
  // The event stream, as far as its endpoint.
  struct Stream {
    Stream(ConnectionPool& pool, ConnectionPtr from, std::size_t max_event_bytes)
        : connection(std::move(from)),
          busy(pool, *connection),
          events(*connection, max_event_bytes) {}
    ConnectionPtr connection;
    ConnectionPool::Busy busy;
    EventStream events;
  };

  Task<absl::Status> Open() {
    CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                        co_await pool_->Send(heads_.Get(), {}, options_.reply_timeout));
    {
      const ConnectionPool::Busy busy(*pool_, *connection);
      if (absl::Status read = co_await connection->ReadHead(); !read.ok())
        co_return ConnectionError(read);
    }
    CO_RETURN_IF_ERROR(CheckSuccess(connection->response()));
    if (!IsEventStream(connection->response()))
      co_return UpstreamInvalid("the server's answer to GET is no event stream");
    auto stream =
        std::make_unique<Stream>(*pool_, std::move(connection), options_.limits.max_bytes);
    CO_ASSIGN_OR_RETURN(target_, co_await ReadEndpoint(stream->events));
    stream->connection->SetDeadline(kStreamTimeout);
    stream_ = std::move(stream);
    loop_.Spawn(ReadStream(shared_from_this()));
    co_return absl::OkStatus();
  }

  Task<absl::StatusOr<std::string>> ReadEndpoint(EventStream& events) {
    for (;;) {
      CO_ASSIGN_OR_RETURN(const auto event, co_await events.Next());
      if (!event) {
        co_return UpstreamLost("the server ended its stream before it named its endpoint");
      }
      if (event->event == "endpoint") {
        auto target = ResolveTarget(options_.url, event->data);
        if (!target.ok()) co_return UpstreamInvalid(std::string(target.status().message()));
        co_return target;
      }
      if (event->is_message())
        co_return UpstreamInvalid("the server's stream does not begin with its endpoint");
    }
  }

  Task<absl::StatusOr<ConnectionPtr>> Post(std::string_view body, absl::Duration timeout) {
    return pool_->Send(heads_.PostTo(target_, body.size()), body, timeout);
  }

  // The server's word that it took a message. What else stands in it is not looked at.
  Task<absl::Status> ReadTaken(ConnectionPtr connection) {
    {
      const ConnectionPool::Busy busy(*pool_, *connection);
      if (absl::Status read = co_await connection->ReadHead(); !read.ok())
        co_return ConnectionError(read);
    }
    CO_RETURN_IF_ERROR(CheckSuccess(connection->response()));
    pool_->KeepOnceDone(std::move(connection));
    co_return absl::OkStatus();
  }
  static Task<void> AwaitTaken(std::shared_ptr<Core> self, ConnectionPtr connection,
                               MessageRouter::Ticket ticket) {
    const absl::Status taken = co_await self->ReadTaken(std::move(connection));
    if (!taken.ok()) self->router_->Fail(ticket, taken);
  }

  static Task<void> ReadStream(std::shared_ptr<Core> self) {
    for (;;) {
      auto event = co_await self->stream_->events.Next();
      if (!event.ok() || !*event) {
        self->Lose(event.ok() ? UpstreamLost("the server ended its stream") : event.status());
        break;
      }
      auto routed = self->OnEvent(*std::move(*event), self->stream_->events.TakePlace());
      if (routed.is_full()) {
        (void)co_await MessageRouter::WaitForRoom(self->router_, std::move(routed));
      }
    }
    self->stream_.reset();
  }

  MessageRouter::Routed OnEvent(SseEvent event, AnswerPlace room) {
    if (event.event == "endpoint") {
      Lose(UpstreamInvalid("the server named another endpoint in mid-session"));
      return {};
    }
    if (!event.is_message()) return {};
    UpstreamMessage message;
    message.bytes = std::move(event.data);
    if (absl::Status read = ReadUpstreamMessage(message, options_.limits); !read.ok()) {
      if (IsUnreadNotification(message.bytes)) {
        LogDropped(router_->DropUnread());
      } else {
        // It cannot be told whose answer it was.
        router_->FailAll(UncleanMessage(ToStd(read.message())));
      }
      return {};
    }
    if (message.shape == Shape::kResponse && !initialize_id_.empty() &&
        CanonicalId(message.id) == initialize_id_) {
      std::string version = NegotiatedVersion(message);
      if (!HasVersionHeader(version)) version.clear();
      heads_.SetSession({}, std::move(version));
      initialize_id_.clear();
    }
    message.room = std::move(room);
    auto routed = router_->Route(std::move(message));
    if (!routed.dropped.empty()) LogDropped(routed.dropped);
    return routed;
  }

  void LogDropped(std::string_view what) {
    constexpr int kLogged = 5;
    if (++dropped_ > kLogged) return;
    LogWarning("server_message_dropped", {{"server", options_.server}, {"what", what}});
  }

  Loop& loop_;
  HttpOptions options_;
  RequestHeads heads_;
  const std::shared_ptr<ConnectionPool> pool_;
  const std::shared_ptr<MessageRouter> router_;
  std::unique_ptr<Stream> stream_;
  // Where messages go. Empty until the stream has begun.
  std::string target_;
  // Of the initialize that is in flight.
  std::string initialize_id_;
  int dropped_ = 0;
};

SseUpstream::SseUpstream(Loop& loop, DeadlineSweep& sweep, HttpOptions options) {
  // The one stream carries more than the answer that there is no room for.
  options.patience.no_room = absl::InfiniteDuration();
  core_ = std::make_shared<Core>(loop, sweep, std::move(options));
}

SseUpstream::~SseUpstream() { core_->Lose(UpstreamLost("the session has ended")); }

Task<absl::StatusOr<std::unique_ptr<Exchange>>> SseUpstream::Call(const ClientMessage& request) {
  return core_->Forward(request);
}
Task<absl::Status> SseUpstream::Tell(const ClientMessage& message) {
  return core_->Send(message.bytes);
}
Task<absl::StatusOr<UpstreamMessage>> SseUpstream::NextUnrelated() {
  return core_->router().NextUnrelated();
}
Task<void> SseUpstream::Close() {
  core_->Lose(UpstreamLost("the session has ended"));
  co_return;
}

}  // namespace sallyport::agent
