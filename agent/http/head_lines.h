#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/http/message.h"

namespace sallyport::agent {

// The head of one message, judged line by line: what requests and responses have in common.
class HeadLines {
 public:
  // Moves bytes from the front of `bytes` to `head` until the head is complete ("\r\n\r\n");
  // returns how many. A line end without its CR, or more than the limits, sets `error` at once, not
  // only when the head ends.
  static std::size_t Collect(std::string_view bytes, std::string& head, const HttpLimits& limits,
                             HttpError& error);
  static bool IsComplete(std::string_view head);

  // What the fields say of the body and the connection.
  struct Framing {
    std::optional<std::uint64_t> length;
    bool is_chunked = false;
    bool is_encoded = false;  // a Content-Encoding other than identity
    bool is_closing = false;
    bool has_expectation = false;
    bool expects_continue = false;
    std::size_t hosts = 0;
  };

  // Takes a complete head into `fields`, in exchange for its memory, and judges all but the first
  // line, which it returns in `start_line` (a view into `fields`).
  static HttpError Parse(std::string& head, const HttpLimits& limits, HttpFields& fields,
                         std::string_view& start_line, Framing& framing);

  // One field line, without its CRLF; its name is turned to lower case where it stands, so that the
  // rest compares bytes. Also judges trailers.
  static HttpError SplitField(std::span<char> line, const HttpLimits& limits,
                              std::string_view& name, std::string_view& value);

  // Fields that say where a message ends or whose it is: never in trailers.
  static bool IsFraming(std::string_view lower_case_name);

 private:
  static HttpError Judge(std::string_view name, std::string_view value, Framing& framing);
};

// The head of a connection's last message. Peers say the same head again and again, but for the
// length of the body: what was judged of those bytes still holds.
class LastHead {
 public:
  // `head`, as it came, was taken into `fields` and found good.
  void Keep(std::string_view head, const HttpFields& fields, const HeadLines::Framing& framing);
  void Forget() { bytes_.clear(); }

  // True: `head` is the one that was kept, but for the number in its Content-Length, and framing()
  // and `fields`, into which it was taken, now say that one.
  bool IsSaidAgain(std::string_view head, HttpFields& fields);
  const HeadLines::Framing& framing() const { return framing_; }

 private:
  std::string bytes_;
  HeadLines::Framing framing_;
  // Where the number stands; 0: nowhere.
  std::size_t length_at_ = 0;
  std::size_t length_size_ = 0;
};

}  // namespace sallyport::agent
