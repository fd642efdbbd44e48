#include "agent/upstream/http_session.h"

#include <algorithm>
#include <utility>

#include "agent/mcp/capabilities.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_batch.h"
#include "agent/upstream/answer_head.h"
#include "agent/upstream/upstream_error.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using MessageOr = absl::StatusOr<UpstreamMessage>;

constexpr std::size_t kMaxUnrelated = 64;
constexpr std::size_t kMaxSessionIdBytes = std::size_t{8} << 10;

bool IsVisible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

HttpSession::HttpSession(Loop& loop, DeadlineSweep& sweep, HttpOptions options)
    : loop_(loop),
      options_(std::move(options)),
      heads_(options_.url, std::move(options_.headers)),
      pool_(std::make_shared<ConnectionPool>(loop, sweep, PoolOptionsOf(options_))),
      unrelated_(loop),
      ended_(loop) {}

Task<absl::StatusOr<ConnectionPtr>> HttpSession::Post(const ClientMessage& message,
                                                      absl::Duration timeout) {
  return pool_->Send(
      message.era == Era::kModern ? heads_.PostModern(message) : heads_.Post(message.bytes.size()),
      message.bytes, timeout);
}

absl::Status HttpSession::CheckHead(HttpConnection& connection) {
  const HttpResponse& response = connection.response();
  if (response.status != 404 || !heads_.has_session()) return CheckSuccess(response);
  Lose(HttpSessionEnded());
  return pool_->why();
}

absl::Status HttpSession::TakeSession(const HttpResponse& response,
                                      const UpstreamMessage& message) {
  const auto id = response.fields.Find("mcp-session-id");
  if (id && (!IsVisible(*id) || id->size() > kMaxSessionIdBytes)) {
    return UpstreamInvalid("the server's Mcp-Session-Id is not visible ASCII, or over 8 KiB");
  }
  has_batches_ = AgreesOnBatches(message);
  std::string version = NegotiatedVersion(message);
  if (!HasVersionHeader(version)) version.clear();
  heads_.SetSession(std::string(id.value_or("")), std::move(version));
  return absl::OkStatus();
}

void HttpSession::NoteDropped(std::string_view words) {
  constexpr int kLogged = 5;
  if (++dropped_ <= kLogged) {
    LogWarning("server_message_dropped", {{"server", options_.server}, {"what", words}});
  }
  if (unrelated_.size() >= kMaxUnrelated) return;
  unrelated_.Push(UpstreamMessage{.shape = Shape::kNotification, .stray = words});
}

void HttpSession::StartListening() {
  if (!std::exchange(is_listening_, true)) loop_.Spawn(Listen(shared_from_this()));
}

Task<MessageOr> HttpSession::NextUnrelated() {
  auto self = shared_from_this();
  auto message = co_await unrelated_.Pop();
  if (!message) co_return pool_->why();
  co_return *std::move(message);
}

Task<absl::StatusOr<ConnectionPtr>> HttpSession::TakeUp(const StreamPlace& place,
                                                        absl::Duration wait, absl::Duration timeout,
                                                        Signal& stop) {
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

void HttpSession::Lose(absl::Status status) {
  if (pool_->is_shut()) return;
  pool_->Shut(std::move(status));
  ended_.Set();
  for (Signal* stop : pausing_) stop->Set();
  unrelated_.Close();
}

Task<void> HttpSession::Close() {
  auto self = shared_from_this();
  if (std::exchange(is_closed_, true)) co_return;
  Lose(UpstreamLost("the session has ended"));
  if (!heads_.has_session()) co_return;
  auto connection = co_await pool_->SendLast(heads_.Delete(), options_.delete_timeout);
  if (connection.ok()) (co_await (*connection)->ReadHead()).IgnoreError();
}

std::vector<MessageOr> HttpSession::ScanEvent(std::string data) const {
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

Task<void> HttpSession::Listen(std::shared_ptr<HttpSession> self) {
  Backoff backoff(self->options_.listen_backoff, absl::Seconds(30));
  StreamPlace place;
  while (!self->pool_->is_shut()) {
    // Each time anew: a server that wishes to be left alone longer only says so once.
    place.retry.reset();
    bool serves = co_await ListenOnce(self, backoff, place);
    if (!serves || co_await self->ended_.Wait(place.retry.value_or(backoff.Next()))) co_return;
  }
}

Task<bool> HttpSession::ListenOnce(std::shared_ptr<HttpSession> self, Backoff& backoff,
                                   StreamPlace& place) {
  auto connection = co_await self->pool_->Send(self->heads_.Get(place.last_event_id), {},
                                               self->options_.reply_timeout);
  if (!connection.ok()) co_return true;
  HttpConnection& stream = **connection;
  const ConnectionPool::Busy busy(*self->pool_, stream);
  if (!(co_await stream.ReadHead()).ok()) co_return true;
  int status = stream.response().status;
  // Without a stream to look back on this is a server that has none and says so in its own way: of
  // a session that is over the next request tells.
  if (status == 404 && !self->has_listened_) co_return false;
  if (!self->CheckHead(stream).ok()) {
    // It may have forgotten the place.
    if (status >= 400 && status < 500 && status != 409) place.last_event_id.clear();
    co_return status != 405 && status != 404;
  }
  if (!IsEventStream(stream.response())) co_return false;
  self->has_listened_ = true;
  backoff.Reset();
  stream.SetDeadline(kStreamTimeout);
  EventStream events(stream, self->options_.limits.max_bytes);
  for (;;) {
    auto event = co_await events.Next();
    events.Mark(place);
    if (!event.ok() || !*event) co_return true;
    if (!(*event)->is_message()) continue;
    const AnswerPlace room = events.TakePlace();
    for (MessageOr& message : self->ScanEvent(std::move((*event)->data))) {
      if (!message.ok()) {
        self->NoteDropped("the server's own stream carries what is no message");
        continue;
      }
      if (message->shape == Shape::kResponse) {
        self->NoteDropped("the server's own stream carries an answer");
        continue;
      }
      message->room = room;
      co_await self->unrelated_.WaitForRoom(kMaxUnrelated);
      self->unrelated_.Push(*std::move(message));
    }
  }
}

}  // namespace sallyport::agent
