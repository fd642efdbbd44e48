#include "agent/listen/client_socket.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>

namespace sallyport::agent {
namespace {

// One write of a large message, so that each piece counts as progress of a slow reader.
constexpr std::size_t kMaxPiece = std::size_t{256} << 10;

}  // namespace

ClientSocket::ClientSocket(Socket socket, net::ssl::context* tls) {
  boost::system::error_code ignored;
  socket.set_option(net::ip::tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  if (tls == nullptr) {
    plain_.emplace(std::move(socket));
  } else {
    tls_.emplace(std::move(socket), *tls);
  }
}

Task<bool> ClientSocket::Handshake() {
  if (!tls_) co_return true;
  auto [error] = co_await tls_->async_handshake(net::ssl::stream_base::server, kAsTuple);
  co_return !error;
}

Task<bool> ClientSocket::ReadSome(InputBuffer& input, std::size_t limit) {
  const auto room = net::buffer(input.Prepare(limit), limit);
  boost::system::error_code error;
  std::size_t n = 0;
  if (tls_) {
    std::tie(error, n) = co_await tls_->async_read_some(room, kAsTuple);
  } else {
    std::tie(error, n) = co_await plain_->async_read_some(room, kAsTuple);
  }
  input.Commit(n);
  co_return !error && n > 0;
}

std::size_t ClientSocket::TryWrite(std::string_view head, std::string_view body) {
  // A TLS record cannot be given up halfway.
  if (tls_) return 0;
  const std::array<net::const_buffer, 2> parts{net::buffer(head.data(), head.size()),
                                               net::buffer(body.data(), body.size())};
  boost::system::error_code error;
  const std::size_t n = plain_->write_some(parts, error);
  return error ? 0 : n;
}

Task<std::size_t> ClientSocket::WriteSome(std::string_view part) {
  const auto piece = net::buffer(part.data(), std::min(part.size(), kMaxPiece));
  boost::system::error_code error;
  std::size_t n = 0;
  if (tls_) {
    std::tie(error, n) = co_await tls_->async_write_some(piece, kAsTuple);
  } else {
    std::tie(error, n) = co_await plain_->async_write_some(piece, kAsTuple);
  }
  co_return error ? 0 : n;
}

void ClientSocket::ShutdownSend() {
  boost::system::error_code ignored;
  raw().shutdown(Socket::shutdown_send, ignored);
}

void ClientSocket::Cancel() {
  boost::system::error_code ignored;
  raw().cancel(ignored);
}

void ClientSocket::Close() {
  if (!is_open_) return;
  is_open_ = false;
  boost::system::error_code ignored;
  raw().close(ignored);
}

}  // namespace sallyport::agent
