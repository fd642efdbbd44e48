#include "agent/listen/client_connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/http/head_writer.h"
#include "agent/listen/reply_head.h"
#include "common/denial.h"
#include "common/json_string.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kReadBytes = std::size_t{16} << 10;
constexpr std::size_t kMaxReadBytes = std::size_t{256} << 10;
// A body this small is read to its end after a refusal, so that the connection can be kept.
constexpr std::uint64_t kMaxForgottenBytes = std::uint64_t{64} << 10;

}  // namespace

types::v1::DenialReason ReasonFor(HttpError error) {
  return error.status == 413 ? types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE
                             : types::v1::DENIAL_REASON_MESSAGE_INVALID;
}

ClientConnection::ClientConnection(Loop& loop, const Clock& clock, HttpService& service,
                                   const HttpLimits& limits, const PhaseLimits& phases,
                                   std::unique_ptr<Stream> stream, TlsContext tls,
                                   std::string client_address)
    : loop_(loop),
      clock_(clock),
      service_(service),
      phases_(phases),
      stream_(std::move(stream)),
      tls_(std::move(tls)),
      client_address_(std::move(client_address)),
      reader_(request_, limits),
      max_body_bytes_(limits.body),
      write_done_(loop),
      watch_done_(loop),
      helpers_done_(loop) {}

Task<void> ClientConnection::Run() {
  SetDeadline(phases_.handshake);
  if (tls_ == nullptr || (co_await stream_->BeTlsServer(tls_)).ok()) {
    while (co_await ReadHead()) {
      ClearDeadline();
      if (reader_.error()) {
        service_.OnBadHead(*this, reader_.error());
        co_await Refuse(reader_.error());
      } else {
        co_await service_.Serve(*this);
      }
      co_await FinishRequest();
      if (!keep_alive_ || is_gone_) break;
    }
  }
  if (!is_gone_ && stream_->is_open()) co_await Linger();
  stream_->Close();
  MarkGone();
  while (helpers_ > 0) {
    helpers_done_.Reset();
    co_await helpers_done_.Wait();
  }
}

Task<bool> ClientConnection::ReadHead() {
  reader_.Next();
  input_.Trim(kReadBytes);
  state_ = State::kUnanswered;
  slow_start_.reset();
  last_event_.reset();
  ++requests_;
  tell_gone_ = nullptr;
  origin_fields_.clear();
  is_idle_ = true;
  SetDeadline(requests_ == 1 ? phases_.head : phases_.idle);
  for (;;) {
    if (!input_.empty()) {
      if (is_idle_) {
        is_idle_ = false;
        SetDeadline(phases_.head);
      }
      input_.Consume(reader_.Feed(input_.view()));
      if (reader_.error() || reader_.is_head_done()) {
        keep_alive_ = keep_alive_ && !reader_.error() && request_.keep_alive;
        if (!reader_.is_head_said_again()) {
          known_token_ = {};
          is_head_approved_ = false;
        }
        co_return true;
      }
    }
    if (is_idle_ && !keep_alive_) co_return false;
    if (!TookIn(co_await ReadSome(kReadBytes))) {
      is_gone_ = true;
      co_return false;
    }
  }
}

bool ClientConnection::TookIn(IoResult read) {
  input_.Commit(read.n);
  return read.n > 0;
}

Task<bool> ClientConnection::ReadBody(std::uint64_t max_bytes) {
  max_body_bytes_ = max_bytes;
  reader_.LimitBody(max_bytes);
  if (!request_.expects_continue) input_.Consume(reader_.Feed(input_.view()));
  return reader_.is_done() ? Task<bool>(true) : ReadRest();
}

Task<bool> ClientConnection::ReadRest() {
  if (request_.expects_continue && !reader_.is_done() && !reader_.error()) {
    request_.expects_continue = false;
    co_await Send("HTTP/1.1 100 Continue\r\n\r\n", {});
  }
  SetDeadline(phases_.body);
  std::size_t read_bytes = kReadBytes;
  while (!reader_.is_done() && !reader_.error()) {
    if (input_.empty()) {
      if (!TookIn(co_await ReadSome(read_bytes))) {
        MarkGone();
        co_return false;
      }
      // A large body is read in large pieces.
      if (input_.view().size() == read_bytes && read_bytes < kMaxReadBytes) read_bytes *= 2;
    }
    input_.Consume(reader_.Feed(input_.view()));
  }
  ClearDeadline();
  if (!reader_.error()) co_return true;
  co_await Refuse(reader_.error());
  co_return false;
}

void ClientConnection::AllowOrigin(std::string_view origin) {
  origin_fields_.clear();
  HeadWriter::Rest(origin_fields_)
      .Field("Access-Control-Allow-Origin", origin)
      .Field("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate")
      .Field("Vary", "Origin");
}

Task<void> ClientConnection::Refuse(HttpError error) {
  keep_alive_ = false;
  std::string message(error.what);
  if (error.status == 413) {
    absl::StrAppend(&message, ": at most ", max_body_bytes_,
                    " bytes are taken here (message_bytes, of the agent or of the server)");
  }
  OwnAnswer answer;
  answer.status = error.status;
  answer.body = R"({"reason":")" + std::string(ReasonName(ReasonFor(error))) + R"(","message":)" +
                JsonString(message) + "}";
  co_await Answer(std::move(answer));
}

Task<void> ClientConnection::FinishRequest() {
  const bool is_finished = state_ == State::kAnswered && !is_watching_ && reader_.is_done();
  return is_finished ? Task<void>() : FinishLate();
}

Task<void> ClientConnection::FinishLate() {
  co_await StopWatching();
  if (state_ == State::kUnanswered || (state_ == State::kStreaming && !is_gone_)) {
    // The service has given no answer: it has been cut off.
    keep_alive_ = false;
    is_gone_ = true;
  }
  if (!keep_alive_ || is_gone_ || reader_.is_done()) co_return;
  // The answer went out before the body was read.
  SetDeadline(phases_.linger);
  while (!reader_.is_done() && !reader_.error()) {
    if (input_.empty() && !TookIn(co_await ReadSome(kReadBytes))) {
      MarkGone();
      co_return;
    }
    input_.Consume(reader_.Feed(input_.view()));
  }
  if (reader_.error()) keep_alive_ = false;
}

bool ClientConnection::KeepsAlive() {
  if (!reader_.is_done()) {
    // Nobody can tell whether a body comes that was waited with, and a long one is not read.
    reader_.LimitBody(kMaxForgottenBytes);
    if (request_.expects_continue || reader_.error()) keep_alive_ = false;
  }
  return keep_alive_;
}

// Closing while bytes of the client are unread resets the connection, and the client may never see
// the answer.
Task<void> ClientConnection::Linger() {
  stream_->ShutdownSend();
  SetDeadline(phases_.linger);
  input_.Consume(input_.view().size());
  while (TookIn(co_await ReadSome(kReadBytes))) input_.Consume(input_.view().size());
}

Task<void> ClientConnection::Send(std::string_view head, std::string_view body) {
  if (is_writing_) return SendInTurn(head, body);
  if (is_gone_ || (head.empty() && body.empty())) return Task<void>();
  const std::size_t written = stream_->TryWrite(head, body).n;
  if (written < head.size() + body.size()) return SendRest(head, body, written);
  if (state_ == State::kStreaming) last_sent_ = clock_.SinceBoot();
  return Task<void>();
}

Task<void> ClientConnection::SendInTurn(std::string_view head, std::string_view body) {
  while (is_writing_) {
    write_done_.Reset();
    co_await write_done_.Wait();
  }
  co_await Send(head, body);
}

Task<void> ClientConnection::SendRest(std::string_view head, std::string_view body,
                                      std::size_t written) {
  is_writing_ = true;
  const absl::Duration phase = deadline_;
  SetDeadline(phases_.stalled_write);
  const IoResult sent = co_await stream_->WriteRest(head, body, written,
                                                    [this] { SetDeadline(phases_.stalled_write); });
  deadline_ = phase;
  is_writing_ = false;
  write_done_.Set();
  if (!sent.ok()) MarkGone();
  if (state_ == State::kStreaming) last_sent_ = clock_.SinceBoot();
}

Task<void> ClientConnection::Answer(OwnAnswer answer) {
  slow_start_.reset();
  if (state_ != State::kUnanswered) co_return;
  state_ = State::kAnswered;
  head_.clear();
  AppendOwnHead(head_, answer, KeepsAlive(), origin_fields_);
  // To HEAD the length alone is said: the body would be read as the next answer.
  const bool has_body = request_.method != HttpMethod::kHead;
  co_await Send(head_, has_body ? std::string_view(answer.body) : std::string_view());
}

Task<void> ClientConnection::Answer(const RecordedMessage& message, AnswerHead head) {
  slow_start_.reset();
  if (state_ != State::kUnanswered) return Task<void>();
  state_ = State::kAnswered;
  head_.clear();
  AppendMessageHead(head_, head, message.bytes().size(), KeepsAlive(), origin_fields_);
  return Send(head_, message.bytes());
}

Task<void> ClientConnection::Begin(StreamStart start) {
  slow_start_.reset();
  if (state_ != State::kUnanswered) co_return;
  state_ = State::kStreaming;
  last_event_ = start.after;
  std::string head;
  AppendStreamHead(head, framing(), KeepsAlive(), origin_fields_);
  if (start.primes) AppendPriming(head, framing(), *start.after);
  Watch();
  co_await Send(head, {});
}

Task<void> ClientConnection::Event(const RecordedMessage& message) {
  if (state_ != State::kStreaming) co_return;
  if (last_event_) ++last_event_->n;
  std::string chunk;
  AppendEvent(chunk, framing(), message.bytes(), last_event_);
  const std::shared_ptr<const void> room_of_chunk = message.room();
  co_await Send(chunk, {});
}

Task<void> ClientConnection::End() {
  if (state_ == State::kUnanswered) co_await Begin({});
  if (state_ != State::kStreaming) co_return;
  std::string last;
  AppendStreamEnd(last, framing());
  co_await Send(last, {});
  state_ = State::kEnded;
}

void ClientConnection::BeginWhenSlow(StreamStart start) {
  if (state_ != State::kUnanswered) return;
  slow_start_ = start;
  last_sent_ = clock_.SinceBoot();
}

void ClientConnection::EndWhenSilent(StreamStart start) {
  if (state_ != State::kUnanswered) return;
  ++helpers_;
  loop_.Spawn(EndIfSilent(start, requests_));
}

void ClientConnection::TellWhenGone(absl::AnyInvocable<void()> gone) {
  tell_gone_ = std::move(gone);
  if (tell_gone_ == nullptr) return;
  if (is_gone_) {
    MarkGone();
  } else {
    Watch();
  }
}

void ClientConnection::MarkGone() {
  is_gone_ = true;
  if (auto tell = std::exchange(tell_gone_, nullptr)) tell();
}

void ClientConnection::MarkKnown() {
  if (auto tell = std::exchange(tell_known_, nullptr)) tell();
}

void ClientConnection::Watch() {
  if (is_watching_) return;
  is_watching_ = true;
  stop_watching_ = false;
  ++helpers_;
  loop_.Spawn(WatchClient());
}

// Reads ahead while the answer is awaited: an end of file says that the client has gone. What is
// sent ahead of its turn waits in input_ and is read no further: of the end behind it the kernel
// tells.
Task<void> ClientConnection::WatchClient() {
  if (input_.empty()) TookIn(co_await ReadSome(kReadBytes));
  if (!stop_watching_ && !input_.empty()) co_await stream_->Ended();
  if (!stop_watching_) MarkGone();
  is_watching_ = false;
  watch_done_.Set();
  --helpers_;
  helpers_done_.Set();
}

Task<void> ClientConnection::StopWatching() {
  stop_watching_ = true;
  if (is_watching_) {
    stream_->CancelRead();
    while (is_watching_) {
      watch_done_.Reset();
      co_await watch_done_.Wait();
    }
  }
}

Task<void> ClientConnection::SendHeartbeat() {
  std::string chunk;
  AppendHeartbeat(chunk, framing());
  // Whoever has begun to write in the meantime has kept the stream alive.
  if (!is_writing_ && state_ == State::kStreaming) co_await Send(chunk, {});
  --helpers_;
  helpers_done_.Set();
}

Task<void> ClientConnection::SendSlowBegin() {
  if (slow_start_) co_await Begin(*slow_start_);
  --helpers_;
  helpers_done_.Set();
}

// The request goes on without the connection, which can take no other one before it is answered:
// so it is closed.
Task<void> ClientConnection::EndIfSilent(StreamStart start, std::uint64_t request) {
  co_await Sleep(loop_, phases_.poll);
  if (request == requests_ && state_ == State::kUnanswered && !is_gone_) {
    state_ = State::kEnded;
    keep_alive_ = false;
    std::string answer;
    AppendStreamHead(answer, framing(), keep_alive_, origin_fields_);
    AppendPriming(answer, framing(), *start.after, phases_.poll_retry_ms);
    AppendStreamEnd(answer, framing());
    co_await Send(answer, {});
    MarkGone();
    co_await StopWatching();
    co_await Linger();
    Close();
    ClearDeadline();
  }
  --helpers_;
  helpers_done_.Set();
}

void ClientConnection::Sweep() {
  const absl::Duration now = clock_.SinceBoot();
  if (now >= deadline_) {
    Close();
    return;
  }
  if (is_gone_ || is_writing_ || now - last_sent_ < phases_.heartbeat) return;
  if (state_ == State::kStreaming) {
    ++helpers_;
    loop_.Spawn(SendHeartbeat());
  } else if (slow_start_) {
    ++helpers_;
    loop_.Spawn(SendSlowBegin());
  }
}

void ClientConnection::EndSoon() {
  keep_alive_ = false;
  if (is_idle_) Close();
}

void ClientConnection::Close() {
  stream_->Close();
  MarkGone();
}

}  // namespace sallyport::agent
