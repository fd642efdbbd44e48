#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/http/message.h"

// HTTP/1.1 framing for both sides of the agent, without I/O: bytes in, messages out. Strict where
// leniency lets two parsers see two messages: one Content-Length of plain digits or one
// `Transfer-Encoding: chunked`, never both; HTTP/1.1 only; CRLF only; no folding; names are tokens;
// one Host; bounded heads, trailers and chunk extensions; trailers are judged and dropped.
//
//   for (;;) {
//     used = reader.Feed(bytes);            // returns early once, when the head is complete
//     bytes.remove_prefix(used);
//     ... reader.error(), reader.is_head_done(), reader.is_done()
//   }
namespace sallyport::agent {

namespace http_internal {
// Where a body ends. Shared by both readers.
class BodyDecoder {
 public:
  enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };
  void Start(Framing framing, std::uint64_t length, const HttpLimits& limits, bool is_streamed);
  std::size_t Feed(std::string_view bytes, std::string& body);
  bool is_done() const { return state_ == State::kDone; }
  HttpError error() const { return error_; }
  // The peer has closed. True if that completes the body.
  bool OnClose();

 private:
  enum class State : std::uint8_t {
    kData,
    kUntilClose,
    kSize,
    kExtension,
    kSizeLf,
    kChunkData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerLf,
    kEndLf,
    kDone
  };
  std::size_t Fail(int status, std::string_view what);
  bool Take(std::string_view bytes, std::string& body);
  void OnSizeLineEnd();
  bool OnTrailerLineEnd();

  HttpLimits limits_;
  State state_ = State::kDone;
  HttpError error_;
  bool is_streamed_ = false;
  std::uint64_t left_ = 0;      // of the body or the chunk
  std::uint64_t received_ = 0;  // decoded
  std::uint64_t overhead_ = 0;  // wire bytes that are not data
  std::size_t size_digits_ = 0;
  bool in_quotes_ = false;
  bool after_backslash_ = false;
  std::size_t extensions_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;
  std::string trailer_line_;
};
}  // namespace http_internal

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
  bool is_done() const { return is_head_done_ && body_.is_done(); }
  // Nothing of a request has arrived: the connection may be closed as idle.
  bool is_idle() const { return head_.empty() && !is_head_done_; }
  HttpError error() const { return error_; }

  // Before the body is read: a limit of its own for this request (a server's message_bytes). 413 if
  // the request announced more.
  void LimitBody(std::uint64_t bytes);

  // Starts the next request on the connection; the request's memory is kept.
  void Next();

 private:
  HttpRequest& request_;
  HttpLimits limits_;
  std::string head_;
  bool is_head_done_ = false;
  std::uint64_t length_ = 0;
  bool is_chunked_ = false;
  HttpError error_;
  http_internal::BodyDecoder body_;
};

// Reads the responses of one connection.
class ResponseReader {
 public:
  ResponseReader(HttpResponse& response, const HttpLimits& limits)
      : response_(response), limits_(limits) {}

  // As RequestReader::Feed. 1xx responses are skipped (a few; 101 is refused). An error has status
  // 502.
  std::size_t Feed(std::string_view bytes);

  bool is_head_done() const { return is_head_done_; }
  bool is_done() const { return is_head_done_ && body_.is_done(); }
  HttpError error() const { return error_; }

  // After the head: the body is taken piece by piece from response.body (an event stream), so that
  // the body limit does not hold for all of it, and it may end with the connection. Without this a
  // body that only ends with the connection is refused.
  void Stream();

  // The server has closed. True: the response is complete (a streamed body that ends with the
  // connection). False: it is cut off, or nothing had arrived (`is_head_done` tells).
  bool OnClose();

  void Next();

 private:
  HttpResponse& response_;
  HttpLimits limits_;
  std::string head_;
  bool is_head_done_ = false;
  bool is_streamed_ = false;
  bool is_started_ = false;
  std::size_t informational_ = 0;
  http_internal::BodyDecoder::Framing framing_ = http_internal::BodyDecoder::Framing::kNone;
  std::uint64_t length_ = 0;
  HttpError error_;
  http_internal::BodyDecoder body_;
};

}  // namespace sallyport::agent
