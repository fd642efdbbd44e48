#include "agent/upstream/http_upstream.h"

#include <openssl/crypto.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/http/head_writer.h"
#include "agent/http/sse.h"
#include "agent/loop/signal.h"
#include "agent/upstream/rpc_id.h"
#include "common/backoff.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using MessageOr = absl::StatusOr<UpstreamMessage>;
using ConnectionPtr = std::unique_ptr<HttpConnection>;

// As many as a session may have calls in flight: one fewer, and a busy session pays for handshakes.
constexpr std::size_t kMaxIdle = 128;
constexpr std::size_t kMaxUnrelated = 64;
constexpr std::size_t kMaxSessionIdBytes = 1024;
constexpr std::size_t kMaxVersionBytes = 32;

absl::Status Lost(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST, what);
}
absl::Status Invalid(std::string_view what) {
  return WithReason(absl::InvalidArgumentError(ToAbsl(what)),
                    types::v1::DENIAL_REASON_UPSTREAM_INVALID);
}

MessageOr Scan(std::string bytes, const ScanLimits& limits) {
  MessageOr message = ScanUpstreamMessage(std::move(bytes), limits);
  if (!message.ok()) return Invalid(ToStd(message.status().message()));
  return message;
}

// What a connection says, as an upstream's error.
absl::Status Told(const absl::Status& status) {
  using types::v1::DenialReason;
  return WithReason(status, status.code() == absl::StatusCode::kInvalidArgument
                                ? DenialReason::DENIAL_REASON_UPSTREAM_INVALID
                                : DenialReason::DENIAL_REASON_UPSTREAM_LOST);
}

// The body of such an answer is nobody's business: it may quote the request's headers.
absl::Status StatusError(int status) {
  std::string code = absl::StrCat("the server answered HTTP ", status);
  if (status == 404) return Lost("the server has ended the MCP session");
  if (status >= 500) return Lost(code);
  if (status == 401 || status == 403) return Invalid(code + ": it refuses the agent's credential");
  if (status >= 300 && status < 400) return Invalid(code + ": redirects are not followed");
  return Invalid(code);
}

bool IsVisible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string NegotiatedVersion(const UpstreamMessage& response) {
  simdjson::ondemand::parser parser;
  simdjson::padded_string json(
      std::string_view(response.bytes).substr(response.body.begin, response.body.size()));
  simdjson::ondemand::document document;
  std::string_view version;
  if (parser.iterate(json).get(document) || document["protocolVersion"].get_string().get(version))
    return {};
  return version.size() <= kMaxVersionBytes && IsVisible(version) ? std::string(version)
                                                                  : std::string();
}

}  // namespace

class HttpUpstream::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Loop& loop, DeadlineSweep& sweep, HttpUpstreamOptions options)
      : loop_(loop), sweep_(sweep), options_(std::move(options)), unrelated_(loop), ended_(loop) {
    limits_.body = options_.limits.max_bytes;
  }
  ~Core() {
    for (auto& [name, value] : options_.headers) OPENSSL_cleanse(value.data(), value.size());
    ForgetPostHead();
  }

  const HttpUpstreamOptions& options() const { return options_; }
  bool is_lost() const { return ended_.is_set(); }
  absl::Status lost_status() const { return lost_; }

  // A connection that the request has gone out on; its answer is still to be read. An error: no
  // byte has.
  Task<absl::StatusOr<ConnectionPtr>> Request(std::string_view method, std::string_view body,
                                              bool wants_answer) {
    auto self = shared_from_this();
    for (;;) {
      if (is_lost() && method != "DELETE") co_return lost_;
      ConnectionPtr connection = TakeIdle();
      bool is_pooled = connection != nullptr;
      if (!is_pooled) {
        CO_ASSIGN_OR_RETURN(connection, co_await Connect());
      }
      Busy busy(*this, *connection);
      connection->SetDeadline(method == "DELETE" ? options_.delete_timeout
                              : wants_answer     ? options_.exchange_timeout
                                                 : options_.connect_timeout * 6);
      bool has_begun = false;
      // Of this request alone: others may be built while it waits for the socket.
      std::string head = BuildHead(method, body);
      absl::Status written = co_await connection->Write(head, body, has_begun);
      OPENSSL_cleanse(head.data(), head.size());
      if (written.ok()) co_return connection;
      if (has_begun) {
        connection->Close();  // the answer's reader finds it so
        co_return connection;
      }
      if (!is_pooled) co_return Told(written);
    }
  }

  void Keep(ConnectionPtr connection) {
    if (is_lost() || !connection->CanBeKept() || idle_.size() >= kMaxIdle) return;
    connection->NextResponse();
    connection->SetDeadline(options_.idle_timeout);
    idle_.push_back(std::move(connection));
  }
  // A stream that has said all it had to say ends a moment later.
  void KeepOnceDone(ConnectionPtr connection) {
    if (connection->reader().is_done()) return Keep(std::move(connection));
    loop_.Spawn(ReadEnd(shared_from_this(), std::move(connection)));
  }

  // Whether the head of an answer is one to go on with.
  absl::Status CheckHead(HttpConnection& connection) {
    const HttpResponse& response = connection.response();
    if (response.status == 404 && !session_id_.empty()) Lose(StatusError(404));
    if (response.status < 200 || response.status > 299) return StatusError(response.status);
    auto encoding = response.fields.Find("content-encoding");
    if (encoding && *encoding != "identity")
      return Invalid("the server encoded its answer although it was told not to");
    return absl::OkStatus();
  }

  void TakeSession(const HttpResponse& response, const UpstreamMessage& message) {
    auto id = response.fields.Find("mcp-session-id");
    if (id && IsVisible(*id) && id->size() <= kMaxSessionIdBytes) session_id_ = std::string(*id);
    version_ = NegotiatedVersion(message);
    ForgetPostHead();
  }

  void StartListening() {
    if (!std::exchange(is_listening_, true)) loop_.Spawn(Listen(shared_from_this()));
  }

  Task<MessageOr> NextUnrelated() {
    auto self = shared_from_this();
    auto message = co_await unrelated_.Pop();
    if (!message) co_return lost_;
    co_return *std::move(message);
  }

  void Lose(absl::Status status) {
    if (is_lost()) return;
    lost_ = std::move(status);
    ended_.Set();
    unrelated_.Close();
    idle_.clear();
    for (HttpConnection* connection : busy_) connection->Close();
  }

  Task<void> Close() {
    auto self = shared_from_this();
    if (std::exchange(is_closed_, true)) co_return;
    Lose(Lost("the session has ended"));
    if (session_id_.empty()) co_return;
    auto connection = co_await Request("DELETE", {}, false);
    if (connection.ok()) (co_await (*connection)->ReadHead()).IgnoreError();
  }

  // A connection in use, so that the session's end closes it.
  class Busy {
   public:
    Busy(Core& core, HttpConnection& connection) : core_(core), connection_(&connection) {
      core_.busy_.insert(connection_);
    }
    ~Busy() { core_.busy_.erase(connection_); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    Core& core_;
    HttpConnection* connection_;
  };

 private:
  ConnectionPtr TakeIdle() {
    while (!idle_.empty()) {
      ConnectionPtr connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->IsReusable()) return connection;
    }
    return nullptr;
  }

  Task<absl::StatusOr<ConnectionPtr>> Connect() {
    auto connection = std::make_unique<HttpConnection>(loop_, sweep_, options_.tls, limits_);
    connection->SetDeadline(is_lost() ? options_.delete_timeout : options_.connect_timeout);
    Busy busy(*this, *connection);
    absl::Status connected = co_await connection->Connect(options_.url);
    if (!connected.ok()) co_return Told(absl::UnavailableError(connected.message()));
    co_return connection;
  }

  std::string BuildHead(std::string_view method, std::string_view body) {
    std::string head;
    if (method != "POST") {
      BeginHead(head, method);
      if (method == "GET") HeadWriter::Rest(head).Field("Accept", "text/event-stream");
      HeadWriter::Rest(head).End();
      return head;
    }
    if (post_head_.empty()) {
      BeginHead(post_head_, method);
      HeadWriter::Rest(post_head_)
          .Field("Accept", "application/json, text/event-stream")
          .Field("Content-Type", "application/json");
    }
    constexpr std::size_t kLengthField = 40;
    head.reserve(post_head_.size() + kLengthField);
    head.append(post_head_);
    HeadWriter::Rest(head).ContentLength(body.size()).End();
    return head;
  }
  void BeginHead(std::string& head, std::string_view method) const {
    HeadWriter writer =
        HeadWriter::Request(head, method, options_.url.target, options_.url.authority);
    writer.Field("User-Agent", "sallyport").Field("Accept-Encoding", "identity");
    if (!session_id_.empty()) writer.Field("Mcp-Session-Id", session_id_);
    if (!version_.empty()) writer.Field("MCP-Protocol-Version", version_);
    for (const auto& [name, value] : options_.headers) writer.Field(name, value);
  }
  void ForgetPostHead() {
    OPENSSL_cleanse(post_head_.data(), post_head_.size());
    post_head_.clear();
  }

  static Task<void> ReadEnd(std::shared_ptr<Core> self, ConnectionPtr connection) {
    connection->SetDeadline(absl::Seconds(2));
    Busy busy(*self, *connection);
    auto more = co_await connection->ReadPiece();
    if (more.ok() && !*more) self->Keep(std::move(connection));
  }

  // The server's own stream, kept up until the end.
  static Task<void> Listen(std::shared_ptr<Core> self) {
    Backoff backoff(self->options_.listen_backoff, absl::Seconds(30));
    while (!self->is_lost()) {
      bool serves = co_await ListenOnce(self, backoff);
      if (!serves || co_await self->ended_.Wait(backoff.Next())) co_return;
    }
  }
  // False: the server has no such stream.
  static Task<bool> ListenOnce(std::shared_ptr<Core> self, Backoff& backoff) {
    auto connection = co_await self->Request("GET", {}, true);
    if (!connection.ok()) co_return true;
    HttpConnection& stream = **connection;
    Busy busy(*self, stream);
    stream.SetDeadline(self->options_.connect_timeout * 6);
    if (!(co_await stream.ReadHead()).ok()) co_return true;
    int status = stream.response().status;
    if (!self->CheckHead(stream).ok()) co_return status != 405 && status != 404;
    if (!IsMediaType(stream.response().fields.Find("content-type").value_or(""),
                     "text/event-stream"))
      co_return false;
    backoff.Reset();
    stream.SetDeadline(absl::Hours(24 * 365));
    stream.reader().Stream();
    SseReader events(self->options_.limits.max_bytes);
    for (;;) {
      auto more = co_await stream.ReadPiece();
      if (!more.ok() || !*more) co_return true;
      std::string_view bytes = stream.response().body;
      SseEvent event;
      for (;;) {
        auto complete = events.Next(bytes, event);
        if (!complete.ok()) co_return true;
        if (!*complete) break;
        MessageOr message = Scan(std::move(event.data), self->options_.limits);
        if (!message.ok() || message->shape == Shape::kResponse) {
          LogWarning("server_message_dropped", {{"server", self->options_.server}});
          continue;
        }
        co_await self->unrelated_.WaitForRoom(kMaxUnrelated);
        self->unrelated_.Push(*std::move(message));
      }
    }
  }

  Loop& loop_;
  DeadlineSweep& sweep_;
  HttpUpstreamOptions options_;
  HttpLimits limits_;
  std::vector<ConnectionPtr> idle_;
  absl::flat_hash_set<HttpConnection*> busy_;

  std::string session_id_;
  std::string version_;
  // A POST's head as far as it is the same for every call of the session; empty until it is needed.
  std::string post_head_;
  Queue<UpstreamMessage> unrelated_;
  bool is_listening_ = false;
  Signal ended_;
  absl::Status lost_;
  bool is_closed_ = false;
};

// Reads the answer in its caller's own coroutine: nothing is queued, and a slow client slows the
// server down.
class HttpUpstream::Answer final : public Exchange {
 public:
  Answer(std::shared_ptr<Core> core, ConnectionPtr connection, const ClientMessage& request)
      : core_(std::move(core)),
        connection_(std::move(connection)),
        busy_(std::in_place, *core_, *connection_),
        id_(CanonicalId(request.id)),
        is_initialize_(request.method == "initialize"),
        events_(core_->options().limits.max_bytes) {}

  Task<MessageOr> Next() override {
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    if (is_over_) co_return absl::FailedPreconditionError("the exchange is over");
    auto core = core_;
    MessageOr message = co_await Read();
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    if (!message.ok() && core->is_lost()) message = core->lost_status();
    is_over_ = !message.ok() || message->shape == Shape::kResponse;
    if (!is_over_) co_return message;
    busy_.reset();
    if (!message.ok()) {
      connection_->Close();
      co_return message;
    }
    if (is_initialize_ && !message->is_error) core->TakeSession(connection_->response(), *message);
    core->KeepOnceDone(std::move(connection_));
    co_return message;
  }

  void Cancel() override {
    is_cancelled_ = true;
    if (connection_) connection_->Close();
  }

 private:
  Task<MessageOr> Read() {
    if (!connection_->reader().is_head_done()) {
      if (absl::Status read = co_await connection_->ReadHead(); !read.ok()) co_return Told(read);
      CO_RETURN_IF_ERROR(core_->CheckHead(*connection_));
      auto type = connection_->response().fields.Find("content-type").value_or("");
      if (IsMediaType(type, "text/event-stream")) {
        connection_->reader().Stream();
        is_stream_ = true;
      } else if (!IsMediaType(type, "application/json")) {
        co_return Invalid("the server's answer is neither JSON nor an event stream");
      }
    }
    if (is_stream_) co_return co_await ReadEvent();
    if (absl::Status read = co_await connection_->ReadBody(); !read.ok()) co_return Told(read);
    CO_ASSIGN_OR_RETURN(UpstreamMessage message,
                        Scan(std::move(connection_->response().body), core_->options().limits));
    if (!IsAnswer(message)) co_return Invalid("the server answered another request");
    co_return message;
  }

  Task<MessageOr> ReadEvent() {
    SseEvent event;
    for (;;) {
      auto complete = events_.Next(bytes_, event);
      if (!complete.ok()) co_return Invalid(ToStd(complete.status().message()));
      if (*complete) {
        CO_ASSIGN_OR_RETURN(UpstreamMessage message,
                            Scan(std::move(event.data), core_->options().limits));
        if (message.shape == Shape::kResponse && !IsAnswer(message))
          co_return Invalid("the server answered another request");
        co_return message;
      }
      auto more = co_await connection_->ReadPiece();
      if (!more.ok()) co_return Told(more.status());
      if (!*more) co_return Lost("the server ended its stream before its answer");
      bytes_ = connection_->response().body;
    }
  }

  bool IsAnswer(const UpstreamMessage& message) const {
    return message.shape == Shape::kResponse && CanonicalId(message.id) == id_;
  }

  std::shared_ptr<Core> core_;
  ConnectionPtr connection_;
  std::optional<Core::Busy> busy_;
  std::string id_;
  bool is_initialize_;
  bool is_stream_ = false;
  bool is_cancelled_ = false;
  bool is_over_ = false;
  SseReader events_;
  // What of the last piece has not been read.
  std::string_view bytes_;
};

HttpUpstream::HttpUpstream(Loop& loop, DeadlineSweep& sweep, HttpUpstreamOptions options)
    : core_(std::make_shared<Core>(loop, sweep, std::move(options))) {}

HttpUpstream::~HttpUpstream() { core_->Lose(Lost("the session has ended")); }

Task<absl::StatusOr<std::unique_ptr<Exchange>>> HttpUpstream::Forward(
    const OutboundMessage& request) {
  auto core = core_;
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                      co_await core->Request("POST", request.bytes(), true));
  co_return std::make_unique<Answer>(core, std::move(connection), request.message());
}

Task<absl::Status> HttpUpstream::Send(const OutboundMessage& message) {
  auto core = core_;
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection,
                      co_await core->Request("POST", message.bytes(), false));
  {
    Core::Busy busy(*core, *connection);
    if (absl::Status read = co_await connection->ReadHead(); !read.ok()) co_return Told(read);
    CO_RETURN_IF_ERROR(core->CheckHead(*connection));
  }
  core->KeepOnceDone(std::move(connection));
  if (message.message().method == "notifications/initialized") core->StartListening();
  co_return absl::OkStatus();
}

Task<absl::StatusOr<UpstreamMessage>> HttpUpstream::NextUnrelated() {
  return core_->NextUnrelated();
}
Task<void> HttpUpstream::Close() { return core_->Close(); }

absl::StatusOr<std::shared_ptr<net::ssl::context>> MakeTlsClient(const std::string& ca_file) {
  auto context = std::make_shared<net::ssl::context>(net::ssl::context::tls_client);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error)
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read the certificates of ", ca_file, ": ", error.message()));
  context->set_verify_mode(net::ssl::verify_peer, error);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

}  // namespace sallyport::agent
