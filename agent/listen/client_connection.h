#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "agent/call/reply.h"
#include "agent/call/token_table.h"
#include "agent/http/input_buffer.h"
#include "agent/http/message.h"
#include "agent/http/strict_framing.h"
#include "agent/listen/http_service.h"
#include "agent/listen/stream_chunks.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/stream.h"
#include "common/clock.h"

namespace sallyport::agent {

// Of a request that breaks HTTP's rules or a limit.
types::v1::DenialReason ReasonFor(HttpError error);

// How long a connection may take for each phase. They are kept by the listener's sweep, to the
// second.
struct PhaseLimits {
  absl::Duration handshake = absl::Seconds(10);
  // Also the silence before the first.
  absl::Duration head = absl::Seconds(10);
  absl::Duration body = absl::Seconds(30);
  absl::Duration idle = absl::Seconds(120);
  // Without the client taking a byte of what is being written.
  absl::Duration stalled_write = absl::Seconds(30);
  absl::Duration linger = absl::Seconds(2);
  // Silence on a stream before a comment keeps it alive.
  absl::Duration heartbeat = absl::Seconds(15);
  // Silence before a client that would rather come back than wait is sent away, and after how long
  // it is to come back.
  absl::Duration poll = absl::Milliseconds(50);
  std::uint32_t poll_retry_ms = 100;
};

// One connection of a client: reads one request at a time, hands it to the service, and is the
// Reply it answers through. What a client sends ahead waits in the kernel. On the loop's thread;
// owned by its listener, which calls Sweep about once a second.
class ClientConnection final : public Reply {
 public:
  // References outlive the connection. A plain `stream`, on which TLS begins if there is a context
  // for it. `client_address` is the peer's, without its port.
  ClientConnection(Loop& loop, const Clock& clock, HttpService& service, const HttpLimits& limits,
                   const PhaseLimits& phases, std::unique_ptr<Stream> stream, TlsContext tls,
                   std::string client_address);

  // Until the connection has ended.
  Task<void> Run();
  // Once the current request is answered. At once when there is none.
  void EndSoon();
  // Closes what is past its phase's limit, keeps streams alive.
  void Sweep();
  const HttpRequest& request() const { return request_; }
  const std::string& client_address() const { return client_address_; }
  // ApproveHead was called for the last request, and this one has the same head: all that the
  // service judges by the head alone is judged.
  bool is_head_approved() const { return is_head_approved_; }
  void ApproveHead() { is_head_approved_ = true; }
  // What was found out about the token of the last request, if this one has the same head; else
  // nothing yet.
  KnownToken& known_token() { return known_token_; }
  // Somebody has been authenticated on it.
  void MarkKnown();
  // Calls `known` then, once; null: call nobody any more.
  void TellWhenKnown(absl::AnyInvocable<void()> known) { tell_known_ = std::move(known); }

  // A page of this origin may read the answer to this request; the value of its Origin field.
  void AllowOrigin(std::string_view origin);

  // The rest of the request's body into request().body. False: there will be none, and the refusal
  // (413, 400) has been sent or the client has gone; the request is then done with.
  Task<bool> ReadBody(std::uint64_t max_bytes);
  // Why it was refused. No error: the client has gone.
  HttpError body_error() const { return reader_.error(); }
  // Takes the body out of the request.
  std::string TakeBody() { return std::move(request_.body); }

  Task<void> Answer(OwnAnswer answer) override;
  Task<void> Answer(const RecordedMessage& message, AnswerHead head) override;
  Task<void> Begin(StreamStart start) override;
  bool has_begun() const override { return state_ == State::kStreaming || state_ == State::kEnded; }
  Task<void> Event(const RecordedMessage& message) override;
  Task<void> End() override;
  void BeginWhenSlow(StreamStart start) override;
  void EndWhenSilent(StreamStart start) override;
  bool is_gone() const override { return is_gone_; }
  void TellWhenGone(absl::AnyInvocable<void()> gone) override;
  void Close() override;

 private:
  enum class State : std::uint8_t { kUnanswered, kAnswered, kStreaming, kEnded };

  Task<bool> ReadHead();
  // Awaits what has come, at most `limit`, for TookIn.
  auto ReadSome(std::size_t limit) { return stream_->ReadSome(input_.Prepare(limit), limit); }
  // False: the client has gone, or the read was cancelled.
  bool TookIn(IoResult read);
  Task<bool> ReadRest();
  Task<void> Refuse(HttpError error);
  // Reads and forgets a small unread body, so that the connection can go on; else it will be
  // closed.
  Task<void> FinishRequest();
  Task<void> FinishLate();
  // Whether another request may follow, as the head of the answer says it.
  bool KeepsAlive();
  // Of the answer to this request, if it is a stream.
  StreamFraming framing() const {
    return request_.takes_chunks ? StreamFraming::kChunked : StreamFraming::kUntilClose;
  }
  Task<void> Linger();
  // Writes in turn with whoever else writes.
  Task<void> Send(std::string_view head, std::string_view body);
  Task<void> SendRest(std::string_view head, std::string_view body, std::size_t written);
  Task<void> SendInTurn(std::string_view head, std::string_view body);
  Task<void> SendHeartbeat();
  Task<void> SendSlowBegin();
  Task<void> EndIfSilent(StreamStart start, std::uint64_t request);
  void Watch();
  Task<void> WatchClient();
  Task<void> StopWatching();
  void SetDeadline(absl::Duration limit) { deadline_ = clock_.SinceBoot() + limit; }
  void ClearDeadline() { deadline_ = absl::InfiniteDuration(); }
  void MarkGone();

  Loop& loop_;
  const Clock& clock_;
  HttpService& service_;
  const PhaseLimits& phases_;
  const std::unique_ptr<Stream> stream_;
  const TlsContext tls_;
  std::string client_address_;

  HttpRequest request_;
  RequestReader reader_;
  std::uint64_t max_body_bytes_;
  InputBuffer input_;
  KnownToken known_token_;
  bool is_head_approved_ = false;

  State state_ = State::kUnanswered;
  bool keep_alive_ = true;
  bool is_gone_ = false;
  bool is_idle_ = true;
  absl::AnyInvocable<void()> tell_gone_;
  absl::AnyInvocable<void()> tell_known_;

  std::string head_;
  // What the head of the answer tells a browser of who may read it.
  std::string origin_fields_;
  bool is_writing_ = false;
  Signal write_done_;
  bool is_watching_ = false;
  bool stop_watching_ = false;
  Signal watch_done_;
  // Coroutines of our own that use the connection beside Run.
  int helpers_ = 0;
  Signal helpers_done_;

  absl::Duration deadline_ = absl::InfiniteDuration();
  absl::Duration last_sent_ = absl::ZeroDuration();
  std::optional<StreamStart> slow_start_;
  // The id of the stream's last event, where they have ids.
  std::optional<EventId> last_event_;
  // Requests so far.
  std::uint64_t requests_ = 0;
};

}  // namespace sallyport::agent
