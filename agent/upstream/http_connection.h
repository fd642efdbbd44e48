#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
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
#include "agent/loop/task.h"
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

// One connection to an HTTP server, plain or TLS, and the response that is read from it. On the
// loop's thread.
class HttpConnection {
 public:
  // `tls` is null for plain HTTP.
  HttpConnection(Loop& loop, DeadlineSweep& sweep, std::shared_ptr<net::ssl::context> tls,
                 const HttpLimits& limits);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // From now on; then it is closed, and what waits for it gets kDeadlineExceeded.
  void SetDeadline(absl::Duration from_now);

  // Resolves, connects, and verifies the server's certificate for its name.
  Task<absl::Status> Connect(const ServerUrl& url);
  // Idle and open: neither its end nor a byte that nobody asked for has arrived.
  bool IsReusable();
  // `has_begun` turns true when a byte may have gone out.
  Task<absl::Status> Write(std::string_view head, std::string_view body, bool& has_begun);
  // Reads until the response's head is done; and, unless it is streamed, until all of it is.
  Task<absl::Status> ReadHead();
  Task<absl::Status> ReadBody();
  // One more piece of a streamed body: true when response().body has bytes, false at its end.
  Task<absl::StatusOr<bool>> ReadPiece();
  // Before the next request.
  void NextResponse();

  HttpResponse& response() { return response_; }
  ResponseReader& reader() { return reader_; }
  // The response is complete, nothing came after it, and the server keeps the connection.
  bool CanBeKept() const {
    return reader_.is_done() && response_.keep_alive && input_.empty() && socket_.is_open();
  }
  // Whoever waits gets kUnavailable.
  void Close();

 private:
  friend class DeadlineSweep;
  using Socket = net::basic_stream_socket<net::ip::tcp, Executor>;

  Task<absl::Status> WriteRest(std::string_view head, std::string_view body, std::size_t sent,
                               bool& has_begun);
  Task<absl::Status> ReadRest();
  Task<absl::Status> ReadSome();
  absl::Status Error(std::string_view what, const boost::system::error_code& error) const;

  Loop& loop_;
  std::shared_ptr<DeadlineSweep::State> sweep_;
  std::shared_ptr<net::ssl::context> context_;
  Socket socket_;
  std::unique_ptr<net::ssl::stream<Socket&>> tls_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  bool is_late_ = false;

  HttpResponse response_;
  ResponseReader reader_;
  InputBuffer input_;
};

}  // namespace sallyport::agent
