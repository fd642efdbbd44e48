#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/http/input_buffer.h"
#include "agent/http/message.h"
#include "agent/http/strict_framing.h"
#include "agent/loop/loop.h"
#include "agent/loop/stream.h"
#include "agent/loop/task.h"
#include "agent/upstream/answer_room.h"
#include "agent/upstream/server_url.h"

namespace sallyport::agent {

class HttpConnection;

// Closes the connections whose time is over, once a second: instead of a timer for each operation.
class DeadlineSweep {
 public:
  // On the loop, for as long as it lives; `this` may go before it.
  explicit DeadlineSweep(Loop& loop);

 private:
  friend class HttpConnection;
  struct State {
    absl::flat_hash_set<HttpConnection*> connections;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// What a server may keep a connection waiting for beside its deadline; then it is closed, as by
// that.
struct HttpPatience {
  // Without a byte taken of what is being written.
  absl::Duration stalled_write = absl::Seconds(30);
  // From the first byte of a response's head to its last.
  absl::Duration begun_head = absl::Seconds(30);
  // From when a long message has its room to its last byte.
  absl::Duration long_message = absl::Seconds(30);
  // Until there is room for a long message, in which it is the server that waits: for longer than
  // one that stops in the middle may hold it.
  absl::Duration no_room = absl::Seconds(40);
};

// One connection to an HTTP server, plain or TLS, and the response that is read from it. On the
// loop's thread.
class HttpConnection {
 public:
  // `tls` is null for plain HTTP.
  HttpConnection(Loop& loop, DeadlineSweep& sweep, TlsContext tls, const HttpLimits& limits,
                 HttpPatience patience, AnswerShare answers);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // From now on; then it is closed, and what waits for it gets kDeadlineExceeded.
  void SetDeadline(absl::Duration from_now);

  // Resolves, connects, and verifies the server's certificate for its name.
  Task<absl::Status> Connect(const ServerUrl& url);
  // Idle and open: neither its end nor a byte that nobody asked for has arrived, as far as the loop
  // has been told, and its time is not over.
  bool IsReusable() {
    return is_open() && input_.empty() && loop_.now() < deadline_ && stream_->IsQuiet();
  }
  // Sends a request. What the socket does not take at once is kept and goes out beside the reading
  // of the response, for a server may answer before it has read all. `has_begun` turns true when a
  // byte may have gone out. An error: nothing more goes out.
  absl::Status Write(std::string_view head, std::string_view body, bool& has_begun);
  // Reads until the response's head is done; and, unless it is streamed, until all of it is.
  Task<absl::Status> ReadHead();
  Task<absl::Status> ReadBody();
  // One more piece of a streamed body: true when response().body has bytes, false at its end.
  Task<absl::StatusOr<bool>> ReadPiece();
  Loop& loop() { return loop_; }
  // So much of a message has been read, and no more may be before AwaitPlace.
  bool needs_place(std::size_t read) const { return answers_.NeedsPlace(read, place_); }
  // Before more is read of a message that may come to so many bytes and is long already: waits
  // until it has its place. limit_exceeded: there was no room for too long.
  Task<absl::Status> AwaitPlace(std::size_t bytes);
  // The place of the message that has been read, of so many bytes. Null: it has none.
  AnswerPlace TakePlace(std::size_t bytes);
  // Before the next request.
  void NextResponse();

  HttpResponse& response() { return response_; }
  ResponseReader& reader() { return reader_; }
  // Request and response are complete, nothing came after it, and the server keeps the connection.
  bool CanBeKept() const {
    return !is_writing() && reader_.is_done() && response_.keep_alive && input_.empty() &&
           is_open();
  }
  // Whoever waits gets kUnavailable.
  void Close();

 private:
  friend class DeadlineSweep;
  static constexpr std::size_t kReadBytes = std::size_t{16} << 10;

  // What of a request the socket has not taken at once. Wiped when it goes, for it may hold
  // credentials.
  struct Unsent {
    ~Unsent() { Wipe(); }
    void Wipe();
    // Empty: all of it has gone out.
    std::string bytes;
    // Until then more of it must be taken.
    Loop::Time until;
  };

  bool is_open() const { return stream_ != nullptr && stream_->is_open(); }
  bool is_writing() const { return unsent_ != nullptr && !unsent_->bytes.empty(); }
  bool IsLate(Loop::Time now) const;
  Task<absl::Status> ConnectTo(Endpoint endpoint);
  // Until all of it is written, or the stream is closed.
  static Task<void> WriteUnsent(Loop& loop, std::shared_ptr<Stream> stream,
                                std::shared_ptr<Unsent> unsent, absl::Duration stalled);
  Task<absl::Status> ReadRest();
  // What the body may come to, by its head.
  std::size_t BodyBytes() const;
  // Bounds the time of a head that has begun.
  void WatchHead();
  // Awaits what has come, for TakeIn.
  auto ReadSome() { return stream_->ReadSome(input_.Prepare(kReadBytes), kReadBytes); }
  absl::Status TakeIn(IoResult read);
  absl::Status Error(std::string_view what, std::string_view why) const;
  absl::Status Error(std::string_view what, int error) const;

  Loop& loop_;
  std::shared_ptr<DeadlineSweep::State> sweep_;
  const TlsContext tls_;
  const HttpPatience patience_;
  // Null until it connects. Shared with who writes to it.
  std::shared_ptr<Stream> stream_;
  // Null: all of it was taken at once.
  std::shared_ptr<Unsent> unsent_;
  bool is_closed_ = false;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  // Until then the head that has begun must end.
  Loop::Time head_until_ = Loop::Time::max();
  const AnswerShare answers_;
  const std::size_t max_body_;
  // Of the message that is being read, and until when that must have come.
  AnswerPlace place_;
  Loop::Time place_until_ = Loop::Time::max();
  bool is_late_ = false;

  HttpResponse response_;
  ResponseReader reader_;
  InputBuffer input_;
};

}  // namespace sallyport::agent
