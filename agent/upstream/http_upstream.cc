#include "agent/upstream/http_upstream.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "agent/loop/signal.h"
#include "agent/mcp/capabilities.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_batch.h"
#include "agent/upstream/answer_head.h"
#include "agent/upstream/connection_pool.h"
#include "agent/upstream/event_stream.h"
#include "agent/upstream/request_heads.h"
#include "agent/upstream/rpc_id.h"
#include "agent/upstream/upstream_error.h"
#include "common/backoff.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/tls.h"

namespace sallyport::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;
using MessageOr = absl::StatusOr<UpstreamMessage>;

constexpr std::size_t kMaxUnrelated = 64;
constexpr std::size_t kMaxSessionIdBytes = 1024;

bool IsVisible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

class HttpUpstream::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Loop& loop, DeadlineSweep& sweep, HttpOptions options)
      : loop_(loop),
        options_(std::move(options)),
        heads_(options_.url, std::move(options_.headers)),
        pool_(std::make_shared<ConnectionPool>(loop, sweep, PoolOptionsOf(options_))),
        unrelated_(loop),
        ended_(loop) {}

  Loop& loop() { return loop_; }
  const HttpOptions& options() const { return options_; }
  ConnectionPool& pool() { return *pool_; }

  // As ConnectionPool::Send, for a message.
  Task<absl::StatusOr<ConnectionPtr>> Post(const ClientMessage& message, absl::Duration timeout) {
    return pool_->Send(message.era == Era::kModern ? heads_.PostModern(message)
                                                   : heads_.Post(message.bytes.size()),
                       message.bytes, timeout);
  }

  // Whether the head of an answer is one to go on with.
  absl::Status CheckHead(HttpConnection& connection) {
    const HttpResponse& response = connection.response();
    if (response.status != 404 || !heads_.has_session()) return CheckSuccess(response);
    Lose(UpstreamLost("the server has ended the MCP session"));
    return pool_->why();
  }

  void TakeSession(const HttpResponse& response, const UpstreamMessage& message) {
    const auto id = response.fields.Find("mcp-session-id");
    const bool has_id = id && IsVisible(*id) && id->size() <= kMaxSessionIdBytes;
    has_batches_ = AgreesOnBatches(message);
    std::string version = NegotiatedVersion(message);
    if (!HasVersionHeader(version)) version.clear();
    heads_.SetSession(has_id ? std::string(*id) : std::string(), std::move(version));
  }

  bool has_batches() const { return has_batches_; }

  void NoteDropped() {
    constexpr int kLogged = 5;
    if (++dropped_ <= kLogged) LogWarning("server_message_dropped", {{"server", options_.server}});
  }

  void StartListening() {
    if (!std::exchange(is_listening_, true)) loop_.Spawn(Listen(shared_from_this()));
  }

  Task<MessageOr> NextUnrelated() {
    auto self = shared_from_this();
    auto message = co_await unrelated_.Pop();
    if (!message) co_return pool_->why();
    co_return *std::move(message);
  }

  // A connection on which the stream goes on from `place`. kUnavailable: it may work later;
  // kFailedPrecondition: it will not. The wait before it ends early with `stop`, or with the
  // session.
  Task<absl::StatusOr<ConnectionPtr>> TakeUp(const StreamPlace& place, absl::Duration wait,
                                             absl::Duration timeout, Signal& stop) {
    auto self = shared_from_this();
    pausing_.insert(&stop);
    const bool is_stopped = co_await stop.Wait(std::min(wait, timeout));
    pausing_.erase(&stop);
    if (is_stopped) co_return absl::FailedPreconditionError("nobody waits for the stream");
    CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                        co_await pool_->Send(heads_.Get(place.last_event_id), {}, timeout));
    const ConnectionPool::Busy busy(*pool_, *connection);
    connection->SetDeadline(std::min(options_.reply_timeout, timeout));
    if (!(co_await connection->ReadHead()).ok()) co_return UpstreamLost("no answer");
    connection->SetDeadline(timeout);
    const int status = connection->response().status;
    // 409: it has not seen yet that the connection it knows is dead.
    if (status == 409 || status == 429 || status >= 500) co_return UpstreamLost("not now");
    if (!CheckHead(*connection).ok() || !IsEventStream(connection->response())) {
      co_return absl::FailedPreconditionError("the server does not take the stream up");
    }
    co_return connection;
  }

  void Lose(absl::Status status) {
    if (pool_->is_shut()) return;
    pool_->Shut(std::move(status));
    ended_.Set();
    for (Signal* stop : pausing_) stop->Set();
    unrelated_.Close();
  }

  Task<void> Close() {
    auto self = shared_from_this();
    if (std::exchange(is_closed_, true)) co_return;
    Lose(UpstreamLost("the session has ended"));
    if (!heads_.has_session()) co_return;
    auto connection = co_await pool_->SendLast(heads_.Delete(), options_.delete_timeout);
    if (connection.ok()) (co_await (*connection)->ReadHead()).IgnoreError();
  }

 private:
  // Usually one.
  std::vector<MessageOr> ScanEvent(std::string data) const {
    std::vector<MessageOr> messages;
    if (!has_batches_ || !IsBatch(data)) {
      messages.push_back(ScanFromServer(std::move(data), options_.limits));
      return messages;
    }
    auto batch = ScanBatchFromServer(data, options_.limits);
    if (!batch.ok()) messages.push_back(batch.status());
    if (batch.ok()) messages.assign(batch->begin(), batch->end());
    return messages;
  }
  // The server's own stream, kept up until the end.
  static Task<void> Listen(std::shared_ptr<Core> self) {
    Backoff backoff(self->options_.listen_backoff, absl::Seconds(30));
    StreamPlace place;
    while (!self->pool_->is_shut()) {
      // Each time anew: a server that wishes to be left alone longer only says so once.
      place.retry.reset();
      bool serves = co_await ListenOnce(self, backoff, place);
      if (!serves || co_await self->ended_.Wait(place.retry.value_or(backoff.Next()))) co_return;
    }
  }
  // False: the server has no such stream.
  static Task<bool> ListenOnce(std::shared_ptr<Core> self, Backoff& backoff, StreamPlace& place) {
    auto connection = co_await self->pool_->Send(self->heads_.Get(place.last_event_id), {},
                                                 self->options_.reply_timeout);
    if (!connection.ok()) co_return true;
    HttpConnection& stream = **connection;
    const ConnectionPool::Busy busy(*self->pool_, stream);
    if (!(co_await stream.ReadHead()).ok()) co_return true;
    int status = stream.response().status;
    if (!self->CheckHead(stream).ok()) {
      // It may have forgotten the place.
      if (status >= 400 && status < 500 && status != 409) place.last_event_id.clear();
      co_return status != 405 && status != 404;
    }
    if (!IsEventStream(stream.response())) co_return false;
    backoff.Reset();
    stream.SetDeadline(kStreamTimeout);
    EventStream events(stream, self->options_.limits.max_bytes);
    for (;;) {
      auto event = co_await events.Next();
      events.Mark(place);
      if (!event.ok() || !*event) co_return true;
      if (!(*event)->is_message()) continue;
      for (MessageOr& message : self->ScanEvent(std::move((*event)->data))) {
        if (!message.ok() || message->shape == Shape::kResponse) {
          self->NoteDropped();
          continue;
        }
        co_await self->unrelated_.WaitForRoom(kMaxUnrelated);
        self->unrelated_.Push(*std::move(message));
      }
    }
  }

  Loop& loop_;
  HttpOptions options_;
  RequestHeads heads_;
  const std::shared_ptr<ConnectionPool> pool_;
  Queue<UpstreamMessage> unrelated_;
  bool is_listening_ = false;
  bool has_batches_ = false;
  Signal ended_;
  // Of those who wait to take a stream up.
  absl::flat_hash_set<Signal*> pausing_;
  bool is_closed_ = false;
  int dropped_ = 0;
};

// Reads the answer in its caller's own coroutine: nothing is queued, and a slow client slows the
// server down.
class HttpUpstream::Answer final : public Exchange {
 public:
  Answer(std::shared_ptr<Core> core, ConnectionPtr connection, const ClientMessage& request)
      : core_(std::move(core)),
        connection_(std::move(connection)),
        busy_(std::in_place, core_->pool(), *connection_),
        id_(CanonicalId(request.id)),
        is_initialize_(request.method == "initialize" && request.era == Era::kLegacy),
        is_modern_(request.era == Era::kModern),
        stop_(core_->loop()),
        until_(core_->loop().now() + absl::ToChronoNanoseconds(core_->options().exchange_timeout)) {
  }

  Task<MessageOr> Next() override {
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    if (is_over_) co_return absl::FailedPreconditionError("the exchange is over");
    auto core = core_;
    MessageOr message = co_await Read();
    // Its client would hear of it and wait on.
    while (message.ok() && message->answers_nobody()) {
      core->NoteDropped();
      if (!events_ && rest_.empty()) {
        message = UpstreamInvalid("the server's answer names no request");
      } else {
        message = co_await Read();
      }
    }
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    if (!message.ok() && core->pool().is_shut()) message = core->pool().why();
    is_over_ = !message.ok() || message->shape == Shape::kResponse;
    if (!is_over_) co_return message;
    busy_.reset();
    if (!message.ok()) {
      if (connection_) connection_->Close();
      co_return message;
    }
    if (is_initialize_ && !message->is_error) core->TakeSession(connection_->response(), *message);
    events_.reset();
    core->pool().KeepOnceDone(std::move(connection_));
    co_return message;
  }

  void Cancel() override {
    is_cancelled_ = true;
    stop_.Set();
    if (connection_) connection_->Close();
  }

 private:
  Task<MessageOr> Read() {
    if (!rest_.empty()) co_return TakeRest();
    if (!connection_->reader().is_head_done()) {
      if (absl::Status read = co_await connection_->ReadHead(); !read.ok())
        co_return ConnectionError(read);
      if (!IsErrorResponse()) CO_RETURN_IF_ERROR(core_->CheckHead(*connection_));
      if (IsEventStream(connection_->response())) {
        events_.emplace(*connection_, core_->options().limits.max_bytes);
      } else if (!IsJson(connection_->response())) {
        co_return UpstreamInvalid("the server's answer is neither JSON nor an event stream");
      }
    }
    std::string bytes;
    if (events_) {
      CO_ASSIGN_OR_RETURN(SseEvent event, co_await NextEvent());
      bytes = std::move(event.data);
    } else {
      if (absl::Status read = co_await connection_->ReadBody(); !read.ok())
        co_return ConnectionError(read);
      bytes = std::move(connection_->response().body);
    }
    if (core_->has_batches() && IsBatch(bytes)) {
      CO_ASSIGN_OR_RETURN(auto batch, ScanBatchFromServer(bytes, core_->options().limits));
      const bool has_answer = batch.back().shape == Shape::kResponse;
      if (!events_ && !has_answer) co_return UpstreamInvalid("the server's batch has no answer");
      rest_.assign(std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
      co_return TakeRest();
    }
    MessageOr message = ScanFromServer(std::move(bytes), core_->options().limits);
    if (IsErrorResponse()) {
      const bool is_error = message.ok() && message->is_error && IsAnswer(*message);
      if (!is_error) co_return HttpStatusError(connection_->response().status);
    }
    if (!message.ok()) co_return message;
    const bool may_come = message->shape == Shape::kResponse
                              ? IsAnswer(*message) || message->answers_nobody()
                              : events_.has_value();
    if (!may_come) co_return UpstreamInvalid("the server answered another request");
    co_return message;
  }

  // The next message of a batch.
  MessageOr TakeRest() {
    UpstreamMessage message = std::move(rest_.front());
    rest_.pop_front();
    if (message.shape == Shape::kResponse && !IsAnswer(message) && !message.answers_nobody()) {
      return UpstreamInvalid("the server answered another request");
    }
    return message;
  }

  // In the modern era some JSON-RPC errors have an HTTP status of their own, and so they have when
  // a server of that era alone is asked to initialize.
  bool IsErrorResponse() const {
    const int status = connection_->response().status;
    return (is_modern_ || is_initialize_) && (status == 400 || status == 404) &&
           IsJson(connection_->response()) && !IsEncoded(connection_->response());
  }

  // The stream's next event, on whatever connection carries the stream by then.
  Task<absl::StatusOr<SseEvent>> NextEvent() {
    for (;;) {
      auto event = co_await events_->Next();
      if (event.ok() && *event) {
        if ((*event)->is_message()) co_return **std::move(event);
        continue;
      }
      if (!event.ok() && !absl::IsUnavailable(event.status())) co_return event.status();
      absl::Status lost = event.ok() ? UpstreamLost("the server ended its stream before its answer")
                                     : event.status();
      events_->Mark(place_);
      // An initialize has no session yet that could be named, and the modern era has none.
      const bool may_go_on =
          !place_.last_event_id.empty() && !is_initialize_ && !is_modern_ && !is_cancelled_;
      if (!may_go_on || !co_await TakeUp()) co_return lost;
    }
  }

  // The request is not sent again, whatever happens: only its answer is asked for.
  Task<bool> TakeUp() {
    events_.reset();
    busy_.reset();
    core_->pool().Keep(std::move(connection_));
    Backoff backoff(core_->options().resume_backoff, absl::Seconds(30));
    for (int attempt = 0; attempt < core_->options().resume_attempts; ++attempt) {
      const absl::Duration wait = attempt == 0 && place_.retry ? *place_.retry : backoff.Next();
      const absl::Duration left = absl::FromChrono(until_ - SteadyClock::now());
      if (left <= absl::ZeroDuration() || core_->pool().is_shut()) break;
      auto connection = co_await core_->TakeUp(place_, wait, left, stop_);
      if (connection.ok()) {
        connection_ = *std::move(connection);
        busy_.emplace(core_->pool(), *connection_);
        events_.emplace(*connection_, core_->options().limits.max_bytes);
        // Cancelled or closed meanwhile: the stream's reader finds it so.
        if (is_cancelled_ || core_->pool().is_shut()) connection_->Close();
        co_return true;
      }
      if (!absl::IsUnavailable(connection.status())) break;
    }
    co_return false;
  }

  bool IsAnswer(const UpstreamMessage& message) const { return CanonicalId(message.id) == id_; }

  std::shared_ptr<Core> core_;
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
  const SteadyClock::time_point until_;
  // What of a batch has not been taken.
  std::deque<UpstreamMessage> rest_;
};

HttpUpstream::HttpUpstream(Loop& loop, DeadlineSweep& sweep, HttpOptions options)
    : core_(std::make_shared<Core>(loop, sweep, std::move(options))) {}

HttpUpstream::~HttpUpstream() { core_->Lose(UpstreamLost("the session has ended")); }

Task<absl::StatusOr<std::unique_ptr<Exchange>>> HttpUpstream::Call(const ClientMessage& request) {
  auto core = core_;
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                      co_await core->Post(request, core->options().exchange_timeout));
  co_return std::make_unique<Answer>(core, std::move(connection), request);
}

Task<absl::Status> HttpUpstream::Tell(const ClientMessage& message) {
  auto core = core_;
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                      co_await core->Post(message, core->options().reply_timeout));
  {
    const ConnectionPool::Busy busy(core->pool(), *connection);
    if (absl::Status read = co_await connection->ReadHead(); !read.ok())
      co_return ConnectionError(read);
    CO_RETURN_IF_ERROR(core->CheckHead(*connection));
  }
  core->pool().KeepOnceDone(std::move(connection));
  if (message.method == "notifications/initialized") core->StartListening();
  co_return absl::OkStatus();
}

Task<absl::StatusOr<UpstreamMessage>> HttpUpstream::NextUnrelated() {
  return core_->NextUnrelated();
}
Task<void> HttpUpstream::Close() { return core_->Close(); }

absl::StatusOr<TlsContext> MakeTlsClient(const std::string& ca_file) {
  TlsContext context = NewTlsClientContext();
  const int is_read = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                      : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
  if (is_read != 1)
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read the certificates of ", ca_file, ": ", OpenSslError()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

}  // namespace sallyport::agent
