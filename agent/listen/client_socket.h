#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <string_view>

#include "agent/http/input_buffer.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// One accepted connection, plain or TLS. Reads and writes may overlap; two reads or two writes may
// not. On the loop's thread.
class ClientSocket {
 public:
  using Socket = net::basic_stream_socket<net::ip::tcp, Executor>;

  // `tls` outlives the socket; null: plain.
  ClientSocket(Socket socket, net::ssl::context* tls);
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  // At once for a plain connection.
  Task<bool> Handshake();

  // Reads what has arrived, at least one byte, at most `limit`. False: closed, failed or cancelled.
  Task<bool> ReadSome(InputBuffer& input, std::size_t limit);

  // Writes what the kernel takes at once, without a coroutine, and returns how much that is. 0
  // where only WriteRest can.
  std::size_t TryWrite(std::string_view head, std::string_view body);
  // The rest, from `written` on. False: the connection failed. `progress` is called after each
  // piece.
  template <class Progress>
  Task<bool> WriteRest(std::string_view head, std::string_view body, std::size_t written,
                       Progress progress) {
    while (written < head.size() + body.size()) {
      const std::string_view part =
          written < head.size() ? head.substr(written) : body.substr(written - head.size());
      const std::size_t n = co_await WriteSome(part);
      if (n == 0) co_return false;
      written += n;
      progress();
    }
    co_return true;
  }

  // The client has nothing more to hear; it may still be read from.
  void ShutdownSend();
  // Reads and writes in progress fail.
  void Cancel();
  void Close();
  bool is_open() const { return is_open_; }
  bool is_tls() const { return tls_.has_value(); }

 private:
  Task<std::size_t> WriteSome(std::string_view part);

  Socket& raw() { return tls_ ? tls_->next_layer() : *plain_; }

  std::optional<Socket> plain_;
  std::optional<net::ssl::stream<Socket>> tls_;
  bool is_open_ = true;
};

}  // namespace sallyport::agent
