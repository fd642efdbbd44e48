#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/http/body_decoder.h"
#include "agent/http/head_lines.h"
#include "agent/http/message.h"

// HTTP/1.1 framing for both sides of the agent, without I/O: bytes in, messages out. Strict where
// leniency lets two parsers see two messages: one Content-Length of plain digits or one
// `Transfer-Encoding: chunked`, never both; HTTP/1.1, or HTTP/1.0 without chunks and with one
// message a connection; CRLF only; no folding; names are tokens; one Host, and no target that names
// another one; bounded heads, trailers and chunk extensions; trailers are judged and dropped.
//
//   for (;;) {
//     bytes.remove_prefix(reader.Feed(bytes));  // returns early once, when the head is complete
//     if (reader.error()) ...                   // answer, close
//     if (reader.is_done()) ...                 // what is left in `bytes` is of the next message
//     if (bytes.empty()) ...                    // read more
//   }
//
// Written here rather than on Beast's basic_parser, whose 1.81 lets through most of what this
// refuses (two framings, unknown transfer codings with the body read as the next request, folded
// fields, unbounded trailers and extensions): every rule would have needed its check before, and
// the chunks one of their own. The fuzz target holds the two against each other.
namespace sallyport::agent {

// Reads the requests of one connection.
class RequestReader {
 public:
  RequestReader(HttpRequest& request, const HttpLimits& limits)
      : request_(request), limits_(limits) {}

  // Takes what of `bytes` belongs to the current request and returns how much that is. Returns
  // right after the head when it completes it, so that the caller can refuse before any body is
  // read (is_head_done); call again for the rest. Takes nothing when the request is done or
  // refused.
  std::size_t Feed(std::string_view bytes);

  bool is_head_done() const { return is_head_done_; }
  // The head is that of the request before, but for its Content-Length.
  bool is_head_said_again() const { return is_head_said_again_; }
  bool is_done() const { return is_head_done_ && !error_ && body_.is_done(); }
  // Nothing of a request has arrived: the connection may be closed as idle.
  bool is_idle() const { return head_.empty() && !is_head_done_; }
  // 400, 413, 415, 417, 431, 501 or 505. The connection must be closed after the answer.
  HttpError error() const { return error_; }

  // Before the body is read: a limit of its own for this request (a server's message_bytes). 413 if
  // it announced more.
  void LimitBody(std::uint64_t bytes);

  // Starts the next request on the connection; the request's memory is kept, and its head too until
  // the next is complete.
  void Next();

 private:
  void OnHead();
  // False: refused.
  bool ReadHead();

  HttpRequest& request_;
  HttpLimits limits_;
  std::string head_;
  LastHead last_head_;
  bool is_head_done_ = false;
  bool is_head_said_again_ = false;
  std::uint64_t length_ = 0;
  HttpError error_;
  BodyDecoder body_;
};

// Reads the responses of one connection.
class ResponseReader {
 public:
  ResponseReader(HttpResponse& response, const HttpLimits& limits)
      : response_(response), limits_(limits) {}

  // As RequestReader::Feed. 1xx responses are skipped (a few; 101 is refused). Any error has status
  // 502.
  std::size_t Feed(std::string_view bytes);

  // A head, be it an interim response's, has begun and not ended.
  bool is_in_head() const { return !head_.empty(); }
  bool is_head_done() const { return is_head_done_; }
  bool is_done() const { return is_head_done_ && !error_ && body_.is_done(); }
  // Nothing of a response has arrived, not even an interim one.
  bool is_idle() const { return head_.empty() && !is_head_done_ && informational_ == 0; }
  HttpError error() const { return error_; }

  // After the head: the body is taken piece by piece from response.body (an event stream), so that
  // the body limit does not hold for all of it.
  void Stream() { body_.Stream(); }

  // The server has closed. True: the response is complete: it was already, or its body ends with
  // the connection (RFC 9112 section 6.3), so that what is in it must tell whether it is whole.
  // False: it is cut off, or there is none.
  bool OnClose();

  void Next();

 private:
  void OnHead();
  // False: refused, or an interim response.
  bool ReadHead();
  void Fail(std::string_view what) { error_ = {502, what}; }

  HttpResponse& response_;
  HttpLimits limits_;
  std::string head_;
  LastHead last_head_;
  bool is_head_done_ = false;
  std::size_t informational_ = 0;
  BodyDecoder::Framing framing_ = BodyDecoder::Framing::kNone;
  HttpError error_;
  BodyDecoder body_;
};

}  // namespace sallyport::agent
