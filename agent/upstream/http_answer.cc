#include "agent/upstream/http_answer.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "agent/mcp/json_batch.h"
#include "agent/mcp/json_scan.h"
#include "agent/upstream/answer_head.h"
#include "agent/upstream/rpc_id.h"
#include "agent/upstream/upstream_error.h"
#include "common/backoff.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using MessageOr = absl::StatusOr<UpstreamMessage>;

constexpr std::string_view kAnotherRequest = "the server answered another request";

}  // namespace

HttpAnswer::HttpAnswer(std::shared_ptr<HttpSession> session, ConnectionPtr connection,
                       const ClientMessage& request)
    : session_(std::move(session)),
      connection_(std::move(connection)),
      busy_(std::in_place, session_->pool(), *connection_),
      id_(CanonicalId(request.id)),
      is_initialize_(request.method == "initialize" && request.era == Era::kLegacy),
      is_modern_(request.era == Era::kModern),
      stop_(session_->loop()),
      until_(session_->loop().now() +
             absl::ToChronoNanoseconds(session_->options().exchange_timeout)) {}

Task<MessageOr> HttpAnswer::Next() {
  if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
  if (is_over_) co_return absl::FailedPreconditionError("the exchange is over");
  auto session = session_;
  std::string_view dropped;
  MessageOr message = co_await Read(dropped);
  // Its client would hear of it and wait on.
  while (!dropped.empty()) {
    session->NoteDropped(dropped);
    if (!events_ && rest_.empty()) {
      message = UpstreamInvalid(std::exchange(dropped, {}));
    } else {
      dropped = {};
      message = co_await Read(dropped);
    }
  }
  if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
  if (!message.ok() && session->pool().is_shut()) message = session->pool().why();
  is_over_ = !message.ok() || message->shape == Shape::kResponse;
  if (!is_over_) co_return message;
  busy_.reset();
  if (!message.ok()) {
    if (connection_) connection_->Close();
    co_return message;
  }
  if (is_initialize_ && !message->is_error) {
    const absl::Status taken = session->TakeSession(connection_->response(), *message);
    if (!taken.ok()) message = taken;
  }
  events_.reset();
  session->pool().KeepOnceDone(std::move(connection_));
  co_return message;
}

void HttpAnswer::Cancel() {
  is_cancelled_ = true;
  stop_.Set();
  if (connection_) connection_->Close();
}

Task<MessageOr> HttpAnswer::Read(std::string_view& dropped) {
  if (!rest_.empty()) co_return TakeRest(dropped);
  if (!connection_->reader().is_head_done()) {
    if (absl::Status read = co_await connection_->ReadHead(); !read.ok())
      co_return ConnectionError(read);
    if (!IsErrorResponse()) CO_RETURN_IF_ERROR(session_->CheckHead(*connection_));
    if (IsEventStream(connection_->response())) {
      events_.emplace(*connection_, session_->options().limits.max_bytes);
    } else if (!IsJson(connection_->response())) {
      co_return UpstreamInvalid("the server's answer is neither JSON nor an event stream");
    }
  }
  std::string bytes;
  AnswerPlace room;
  if (events_) {
    CO_ASSIGN_OR_RETURN(SseEvent event, co_await NextEvent());
    bytes = std::move(event.data);
    room = events_->TakePlace();
  } else {
    if (absl::Status read = co_await connection_->ReadBody(); !read.ok())
      co_return ConnectionError(read);
    bytes = std::move(connection_->response().body);
    room = connection_->TakePlace(bytes.size());
  }
  if (session_->has_batches() && IsBatch(bytes)) {
    CO_ASSIGN_OR_RETURN(auto batch, ScanBatchFromServer(bytes, session_->options().limits));
    const bool has_answer = batch.back().shape == Shape::kResponse;
    if (!events_ && !has_answer) co_return UpstreamInvalid("the server's batch has no answer");
    for (UpstreamMessage& message : batch) message.room = room;
    rest_.assign(std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    co_return TakeRest(dropped);
  }
  UpstreamMessage message;
  message.bytes = std::move(bytes);
  message.room = std::move(room);
  const absl::Status read = ReadUpstreamMessage(message, session_->options().limits);
  if (IsErrorResponse()) {
    const bool is_error = read.ok() && message.is_error && IsAnswer(message);
    if (!is_error) co_return HttpStatusError(connection_->response().status);
  }
  if (!read.ok() && events_ && IsUnreadNotification(message.bytes)) {
    dropped = "the server says what is no clean message";
    co_return message;
  }
  if (!read.ok()) co_return UncleanMessage(ToStd(read.message()));
  if (!events_ && message.shape != Shape::kResponse) co_return UpstreamInvalid(kAnotherRequest);
  dropped = WhyDropped(message);
  co_return message;
}

UpstreamMessage HttpAnswer::TakeRest(std::string_view& dropped) {
  UpstreamMessage message = std::move(rest_.front());
  rest_.pop_front();
  dropped = WhyDropped(message);
  return message;
}

std::string_view HttpAnswer::WhyDropped(const UpstreamMessage& message) const {
  if (message.answers_nobody()) return "the server's answer names no request";
  return message.shape == Shape::kResponse && !IsAnswer(message) ? kAnotherRequest
                                                                 : std::string_view();
}

bool HttpAnswer::IsErrorResponse() const {
  const int status = connection_->response().status;
  return (is_modern_ || is_initialize_) && (status == 400 || status == 404) &&
         IsJson(connection_->response()) && !IsEncoded(connection_->response());
}

Task<absl::StatusOr<SseEvent>> HttpAnswer::NextEvent() {
  for (;;) {
    auto event = co_await events_->Next();
    if (event.ok() && *event) {
      if ((*event)->is_message()) co_return **std::move(event);
      continue;
    }
    if (!event.ok() && !absl::IsUnavailable(event.status())) co_return event.status();
    absl::Status lost =
        event.ok() ? UpstreamLost("the server ended its stream before its answer") : event.status();
    events_->Mark(place_);
    // An initialize has no session yet that could be named, and the modern era has none.
    const bool may_go_on =
        !place_.last_event_id.empty() && !is_initialize_ && !is_modern_ && !is_cancelled_;
    if (!may_go_on || !co_await TakeUp()) co_return lost;
  }
}

Task<bool> HttpAnswer::TakeUp() {
  events_.reset();
  busy_.reset();
  session_->pool().Keep(std::move(connection_));
  Backoff backoff(session_->options().resume_backoff, absl::Seconds(30));
  for (int attempt = 0; attempt < session_->options().resume_attempts; ++attempt) {
    const absl::Duration wait = attempt == 0 && place_.retry ? *place_.retry : backoff.Next();
    const absl::Duration left = absl::FromChrono(until_ - std::chrono::steady_clock::now());
    if (left <= absl::ZeroDuration() || session_->pool().is_shut()) break;
    auto connection = co_await session_->TakeUp(place_, wait, left, stop_);
    if (connection.ok()) {
      connection_ = *std::move(connection);
      busy_.emplace(session_->pool(), *connection_);
      events_.emplace(*connection_, session_->options().limits.max_bytes);
      // Cancelled or closed meanwhile: the stream's reader finds it so.
      if (is_cancelled_ || session_->pool().is_shut()) connection_->Close();
      co_return true;
    }
    if (!absl::IsUnavailable(connection.status())) break;
  }
  co_return false;
}

bool HttpAnswer::IsAnswer(const UpstreamMessage& message) const {
  return CanonicalId(message.id) == id_;
}

}  // namespace sallyport::agent
