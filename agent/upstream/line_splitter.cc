#include "agent/upstream/line_splitter.h"

#include <utility>

namespace sallyport::agent {

LineSplitter::Event LineSplitter::Next(std::string_view& bytes, std::string& line) {
  while (!bytes.empty()) {
    std::size_t end = bytes.find('\n');
    std::string_view part = bytes.substr(0, end);
    bool ends = end != std::string_view::npos;
    bytes.remove_prefix(part.size() + (ends ? 1 : 0));
    if (skipping_) {
      skipping_ = !ends;
      continue;
    }
    // A CR before the LF is no part of the line, so one byte more may come before it is known to be
    // too long.
    if (line_.size() + part.size() > max_line_bytes_ + 1) return TooLong(ends);
    line_.append(part);
    if (!ends) continue;
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    if (line_.size() > max_line_bytes_) return TooLong(ends);
    line = std::exchange(line_, {});
    return Event::kLine;
  }
  return Event::kNeedMore;
}

LineSplitter::Event LineSplitter::TooLong(bool ends) {
  skipping_ = !ends;
  line_ = {};
  return Event::kTooLong;
}

}  // namespace sallyport::agent
