#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::agent {

// Cuts a child's stdout into lines. A pure class: it judges length alone, what a line says is not
// its business.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  enum class Event : std::uint8_t {
    kNeedMore,  // all bytes are taken and no line has ended
    kLine,      // `line` is one, without its LF or CRLF
    kTooLong,   // a line is longer than the limit; told once, and the rest of it is skipped
  };
  // Takes bytes from the front of `bytes` until something can be told.
  Event Next(std::string_view& bytes, std::string& line);

  // What has come of a line that has not ended.
  std::size_t pending_bytes() const { return line_.size(); }

 private:
  Event TooLong(bool ends);

  std::size_t max_line_bytes_;
  std::string line_;
  bool skipping_ = false;
};

}  // namespace sallyport::agent
