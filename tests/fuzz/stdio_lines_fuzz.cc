// A child's stdout, cut anywhere: the lines do not depend on where, and none is longer than the
// limit.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/upstream/line_splitter.h"

namespace {

using sallyport::agent::LineSplitter;
constexpr std::size_t kLimit = 32;

void Feed(LineSplitter& splitter, std::string_view bytes, std::vector<std::string>& lines) {
  std::string line;
  for (;;) {
    switch (splitter.Next(bytes, line)) {
      case LineSplitter::Event::kNeedMore:
        if (!bytes.empty()) std::abort();
        return;
      case LineSplitter::Event::kTooLong:
        lines.emplace_back("<too long>");
        break;
      case LineSplitter::Event::kLine:
        if (line.size() > kLimit || line.find('\n') != std::string::npos) std::abort();
        lines.push_back(line);
        break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t step = 1 + data[0] % 40;

  LineSplitter whole(kLimit);
  std::vector<std::string> once;
  Feed(whole, bytes, once);

  LineSplitter pieces(kLimit);
  std::vector<std::string> cut;
  for (std::size_t at = 0; at < bytes.size(); at += step) Feed(pieces, bytes.substr(at, step), cut);

  if (once != cut || whole.pending_bytes() != pieces.pending_bytes()) std::abort();
  return 0;
}
