#include "agent/upstream/http_connection.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using Tcp = net::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kReadBytes = std::size_t{16} << 10;

}  // namespace

DeadlineSweep::DeadlineSweep(Loop& loop) {
  loop.Every(absl::Seconds(1), [state = std::weak_ptr<State>(state_)] {
    auto live = state.lock();
    if (!live) return;
    auto now = std::chrono::steady_clock::now();
    for (HttpConnection* connection : live->connections) {
      if (connection->deadline_ > now || !connection->socket_.is_open()) continue;
      connection->is_late_ = true;
      connection->Close();
    }
  });
}

HttpConnection::HttpConnection(Loop& loop, DeadlineSweep& sweep,
                               std::shared_ptr<net::ssl::context> tls, const HttpLimits& limits)
    : loop_(loop),
      sweep_(sweep.state_),
      context_(std::move(tls)),
      socket_(loop.executor()),
      reader_(response_, limits) {
  sweep_->connections.insert(this);
}

HttpConnection::~HttpConnection() { sweep_->connections.erase(this); }

void HttpConnection::SetDeadline(absl::Duration from_now) {
  deadline_ = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(from_now);
}

void HttpConnection::Close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

absl::Status HttpConnection::Error(std::string_view what, const ErrorCode& error) const {
  if (is_late_) return absl::DeadlineExceededError("the server took too long");
  return absl::UnavailableError(
      absl::StrCat(absl::string_view(what.data(), what.size()), ": ", error.message()));
}

Task<absl::Status> HttpConnection::Connect(const ServerUrl& url) {
  net::ip::basic_resolver<Tcp, Executor> resolver(loop_.executor());
  ErrorCode not_literal;
  auto address = net::ip::make_address(url.host, not_literal);
  ErrorCode error;
  if (!not_literal) {
    Tcp::endpoint endpoint(address, static_cast<unsigned short>(std::stoi(url.port)));
    std::tie(error) = co_await socket_.async_connect(endpoint, kAsTuple);
  } else {
    auto [unknown, endpoints] = co_await resolver.async_resolve(url.host, url.port, kAsTuple);
    if (unknown) co_return Error("the server's name is not known", unknown);
    auto [failed, endpoint] = co_await net::async_connect(socket_, endpoints, kAsTuple);
    error = failed;
  }
  if (error) co_return Error("cannot connect to the server", error);
  socket_.set_option(Tcp::no_delay(true), error);
  socket_.non_blocking(true, error);
  if (error) co_return Error("cannot connect to the server", error);
  if (!context_) co_return absl::OkStatus();

  tls_ = std::make_unique<net::ssl::stream<Socket&>>(socket_, *context_);
  tls_->set_verify_callback(net::ssl::host_name_verification(url.host), error);
  if (not_literal && SSL_set_tlsext_host_name(tls_->native_handle(), url.host.c_str()) != 1) {
    co_return absl::UnavailableError("the server's name cannot be sent in TLS");
  }
  auto [refused] = co_await tls_->async_handshake(net::ssl::stream_base::client, kAsTuple);
  if (refused) co_return Error("TLS with the server failed", refused);
  co_return absl::OkStatus();
}

bool HttpConnection::IsReusable() {
  if (!socket_.is_open() || !input_.empty()) return false;
  char byte;
  ssize_t n = recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

Task<absl::Status> HttpConnection::Write(std::string_view head, std::string_view body,
                                         bool& has_begun) {
  // Nearly always the socket takes all of it at once. A TLS record cannot be given up halfway.
  ErrorCode error;
  std::size_t sent = 0;
  if (!tls_) {
    const std::array<net::const_buffer, 2> parts{net::buffer(head.data(), head.size()),
                                                 net::buffer(body.data(), body.size())};
    sent = socket_.write_some(parts, error);
    if (error && error != net::error::would_block)
      return Task<absl::Status>(Error("the request could not be sent", error));
    has_begun = has_begun || sent > 0;
    if (sent == head.size() + body.size()) return Task<absl::Status>(absl::OkStatus());
  }
  return WriteRest(head, body, sent, has_begun);
}

Task<absl::Status> HttpConnection::WriteRest(std::string_view head, std::string_view body,
                                             std::size_t sent, bool& has_begun) {
  if (tls_) {
    const std::array<net::const_buffer, 2> parts{net::buffer(head.data(), head.size()),
                                                 net::buffer(body.data(), body.size())};
    has_begun = true;
    auto [error, n] = co_await net::async_write(*tls_, parts, kAsTuple);
    co_return error ? Error("the request could not be sent", error) : absl::OkStatus();
  }
  while (sent < head.size() + body.size()) {
    std::string_view rest =
        sent < head.size() ? head.substr(sent) : body.substr(sent - head.size());
    auto [failed, n] =
        co_await socket_.async_write_some(net::buffer(rest.data(), rest.size()), kAsTuple);
    if (failed) co_return Error("the request could not be sent", failed);
    has_begun = true;
    sent += n;
  }
  co_return absl::OkStatus();
}

Task<absl::Status> HttpConnection::ReadSome() {
  const auto room = net::buffer(input_.Prepare(kReadBytes), kReadBytes);
  ErrorCode error;
  std::size_t n = 0;
  if (tls_) {
    std::tie(error, n) = co_await tls_->async_read_some(room, kAsTuple);
  } else {
    std::tie(error, n) = co_await socket_.async_read_some(room, kAsTuple);
  }
  input_.Commit(n);
  if (!error) co_return absl::OkStatus();
  // Only TLS's own close_notify, or a plain FIN, ends a body that ends with the connection; a cut
  // TLS stream does not.
  if (error == net::error::eof && !is_late_ && reader_.OnClose()) co_return absl::OkStatus();
  co_return Error("the connection to the server ended before its answer", error);
}

Task<absl::Status> HttpConnection::ReadHead() {
  while (!reader_.is_head_done()) {
    if (input_.empty()) CO_RETURN_IF_ERROR(co_await ReadSome());
    input_.Consume(reader_.Feed(input_.view()));
    if (HttpError error = reader_.error()) {
      co_return absl::InvalidArgumentError(
          absl::StrCat("the server's answer is not clean HTTP: ",
                       absl::string_view(error.what.data(), error.what.size())));
    }
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
    CO_RETURN_IF_ERROR(co_await ReadSome());
  }
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
    CO_RETURN_IF_ERROR(co_await ReadSome());
  }
}

void HttpConnection::NextResponse() { reader_.Next(); }

}  // namespace sallyport::agent
