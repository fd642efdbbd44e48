#include "agent/upstream/http_connection.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/loop/resolve.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kCannotSend = "the request could not be sent";
constexpr std::string_view kCannotConnect = "cannot connect to the server";

}  // namespace

DeadlineSweep::DeadlineSweep(Loop& loop) {
  loop.Every(absl::Seconds(1), [state = std::weak_ptr<State>(state_)] {
    auto live = state.lock();
    if (!live) return;
    auto now = std::chrono::steady_clock::now();
    for (HttpConnection* connection : live->connections) {
      if (connection->is_closed_ || !connection->IsLate(now)) continue;
      connection->is_late_ = true;
      connection->Close();
    }
  });
}

HttpConnection::HttpConnection(Loop& loop, DeadlineSweep& sweep, TlsContext tls,
                               const HttpLimits& limits, HttpPatience patience, AnswerShare answers)
    : loop_(loop),
      sweep_(sweep.state_),
      tls_(std::move(tls)),
      patience_(patience),
      answers_(std::move(answers)),
      max_body_(static_cast<std::size_t>(limits.body)),
      reader_(response_, limits) {
  sweep_->connections.insert(this);
}

HttpConnection::~HttpConnection() {
  if (stream_ != nullptr) stream_->Close();
  sweep_->connections.erase(this);
}

void HttpConnection::Unsent::Wipe() {
  OPENSSL_cleanse(bytes.data(), bytes.size());
  std::string().swap(bytes);
}

bool HttpConnection::IsLate(Loop::Time now) const {
  return deadline_ <= now || head_until_ <= now || place_until_ <= now ||
         (is_writing() && unsent_->until <= now);
}

void HttpConnection::SetDeadline(absl::Duration from_now) {
  deadline_ = loop_.now() + absl::ToChronoNanoseconds(from_now);
}

void HttpConnection::Close() {
  is_closed_ = true;
  if (stream_ != nullptr) stream_->Close();
  if (answers_.room != nullptr) answers_.room->Wake();
}

absl::Status HttpConnection::Error(std::string_view what, std::string_view why) const {
  if (is_late_) return absl::DeadlineExceededError("the server took too long");
  return absl::UnavailableError(absl::StrCat(ToAbsl(what), ": ", ToAbsl(why)));
}

absl::Status HttpConnection::Error(std::string_view what, int error) const {
  return Error(what, strerror(error));
}

Task<absl::Status> HttpConnection::Connect(const ServerUrl& url) {
  const auto endpoints = co_await Resolve(loop_, url.host, url.port);
  if (!endpoints.ok()) {
    co_return Error("the server's name is not known", ToStd(endpoints.status().message()));
  }
  absl::Status connected;
  for (const Endpoint& endpoint : *endpoints) {
    connected = co_await ConnectTo(endpoint);
    if (connected.ok() || is_closed_) break;
  }
  CO_RETURN_IF_ERROR(connected);
  if (tls_ == nullptr) co_return absl::OkStatus();
  const absl::Status agreed = co_await stream_->BeTlsClient(tls_, url.host);
  if (!agreed.ok()) co_return Error("TLS with the server failed", ToStd(agreed.message()));
  co_return absl::OkStatus();
}

Task<absl::Status> HttpConnection::ConnectTo(Endpoint endpoint) {
  if (is_closed_) co_return Error(kCannotConnect, ECANCELED);
  const auto fd = Stream::BeginConnect(endpoint);
  if (!fd.ok()) co_return Error(kCannotConnect, ToStd(fd.status().message()));
  stream_ = std::make_shared<Stream>(loop_, *fd, true);
  const IoResult connected = co_await stream_->Connected();
  co_return connected.ok() ? absl::OkStatus() : Error(kCannotConnect, connected.error);
}

absl::Status HttpConnection::Write(std::string_view head, std::string_view body, bool& has_begun) {
  // Nearly always the socket takes all of it at once.
  const IoResult written = stream_->TryWrite(head, body);
  if (!written.ok() && !written.would_block()) {
    // What a TLS record has let out cannot be told.
    has_begun = has_begun || tls_ != nullptr;
    return Error(kCannotSend, written.error);
  }
  has_begun = true;
  if (written.n == head.size() + body.size()) return absl::OkStatus();
  const std::size_t of_body = written.n - std::min(written.n, head.size());
  unsent_ = std::make_shared<Unsent>();
  unsent_->bytes.append(head.substr(std::min(written.n, head.size())));
  unsent_->bytes.append(body.substr(of_body));
  loop_.Spawn(WriteUnsent(loop_, stream_, unsent_, patience_.stalled_write));
  return absl::OkStatus();
}

Task<void> HttpConnection::WriteUnsent(Loop& loop, std::shared_ptr<Stream> stream,
                                       std::shared_ptr<Unsent> unsent, absl::Duration stalled) {
  const auto go_on = [&] { unsent->until = loop.now() + absl::ToChronoNanoseconds(stalled); };
  go_on();
  const IoResult written = co_await stream->WriteRest(unsent->bytes, {}, 0, go_on);
  // An error is the reader's, too; it may find the answer before it.
  if (written.ok()) unsent->Wipe();
}

absl::Status HttpConnection::TakeIn(IoResult read) {
  input_.Commit(read.n);
  if (read.n > 0) return absl::OkStatus();
  // Only TLS's own close_notify, or a plain FIN, ends a body that ends with the connection; a cut
  // TLS stream does not.
  if (read.ok() && !is_late_ && reader_.OnClose()) return absl::OkStatus();
  constexpr std::string_view kEnded = "the connection to the server ended before its answer";
  return read.ok() ? Error(kEnded, "End of file") : Error(kEnded, read.error);
}

void HttpConnection::WatchHead() {
  if (!reader_.is_in_head()) {
    head_until_ = Loop::Time::max();
  } else if (head_until_ == Loop::Time::max()) {
    head_until_ = loop_.now() + absl::ToChronoNanoseconds(patience_.begun_head);
  }
}

Task<absl::Status> HttpConnection::ReadHead() {
  while (!reader_.is_head_done()) {
    if (input_.empty()) CO_RETURN_IF_ERROR(TakeIn(co_await ReadSome()));
    input_.Consume(reader_.Feed(input_.view()));
    if (HttpError error = reader_.error()) {
      co_return absl::InvalidArgumentError(
          absl::StrCat("the server's answer is not clean HTTP: ",
                       absl::string_view(error.what.data(), error.what.size())));
    }
    WatchHead();
  }
  co_return absl::OkStatus();
}

Task<absl::Status> HttpConnection::ReadBody() {
  input_.Consume(reader_.Feed(input_.view()));
  if (reader_.is_done()) return Task<absl::Status>(absl::OkStatus());
  return ReadRest();
}

Task<absl::Status> HttpConnection::ReadRest() {
  for (;;) {
    input_.Consume(reader_.Feed(input_.view()));
    if (HttpError error = reader_.error()) {
      co_return absl::InvalidArgumentError(
          absl::StrCat("the server's answer is not clean HTTP: ",
                       absl::string_view(error.what.data(), error.what.size())));
    }
    if (reader_.is_done()) co_return absl::OkStatus();
    if (needs_place(response_.body.size())) {
      CO_RETURN_IF_ERROR(co_await AwaitPlace(BodyBytes()));
    }
    CO_RETURN_IF_ERROR(TakeIn(co_await ReadSome()));
  }
}

std::size_t HttpConnection::BodyBytes() const {
  std::size_t bytes = max_body_;
  const auto length = response_.fields.Find("content-length");
  if (!length || !absl::SimpleAtoi(ToAbsl(*length), &bytes)) return max_body_;
  return std::min(bytes, max_body_);
}

Task<absl::Status> HttpConnection::AwaitPlace(std::size_t bytes) {
  const bool is_patient = patience_.no_room == absl::InfiniteDuration();
  const Loop::Time until =
      is_patient ? Loop::Time::max() : loop_.now() + absl::ToChronoNanoseconds(patience_.no_room);
  for (;;) {
    if (is_closed_) co_return Error("the connection to the server ended", ECANCELED);
    if ((place_ = answers_.Take(bytes)) != nullptr) break;
    const absl::Duration left =
        is_patient ? absl::InfiniteDuration() : absl::FromChrono(until - loop_.now());
    if (left <= absl::ZeroDuration()) {
      Close();
      co_return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                       "long answers are held already, as many as there is room for");
    }
    co_await answers_.room->WaitForMore(left);
  }
  place_until_ = loop_.now() + absl::ToChronoNanoseconds(patience_.long_message);
  co_return absl::OkStatus();
}

AnswerPlace HttpConnection::TakePlace(std::size_t bytes) {
  if (place_ == nullptr) return nullptr;
  place_until_ = Loop::Time::max();
  place_->Shrink(bytes);
  return std::exchange(place_, nullptr);
}

Task<absl::StatusOr<bool>> HttpConnection::ReadPiece() {
  response_.body.clear();
  for (;;) {
    input_.Consume(reader_.Feed(input_.view()));
    if (HttpError error = reader_.error()) {
      co_return absl::InvalidArgumentError(
          absl::StrCat("the server's answer is not clean HTTP: ",
                       absl::string_view(error.what.data(), error.what.size())));
    }
    if (!response_.body.empty()) co_return true;
    if (reader_.is_done()) co_return false;
    CO_RETURN_IF_ERROR(TakeIn(co_await ReadSome()));
  }
}

void HttpConnection::NextResponse() {
  unsent_.reset();
  (void)TakePlace(0);
  reader_.Next();
}

}  // namespace sallyport::agent
