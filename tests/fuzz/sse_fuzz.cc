// The reader against itself cut differently, and against the writer: what it read, written again,
// is read the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agent/http/sse.h"

namespace {

using sallyport::agent::SseEvent;

void Check(bool holds) {
  if (!holds) std::abort();
}

constexpr std::size_t kMaxEvent = 4096;

std::vector<SseEvent> Read(std::string_view bytes, std::size_t step) {
  sallyport::agent::SseReader reader(kMaxEvent);
  std::vector<SseEvent> events;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = bytes.substr(at, step);
    for (;;) {
      SseEvent event;
      const auto more = reader.Next(piece, event);
      if (!more.ok()) return events;
      if (!*more) break;
      Check(!event.data.empty() && event.data.size() <= kMaxEvent);
      events.push_back(event);
    }
    Check(piece.empty());
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = Read(bytes, bytes.size() + 1);
  // A limit may be met earlier or later in one line, never another event before it.
  const auto cut = Read(bytes, data[0] % 32 + 1);
  Check(whole.size() == cut.size());
  std::string written;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Check(whole[i].data == cut[i].data && whole[i].event == cut[i].event &&
          whole[i].id == cut[i].id);
    if (whole[i].data.size() > kMaxEvent / 8) return 0;
    sallyport::agent::AppendSseEvent(written, whole[i].data);
  }
  const auto again = Read(written, written.size() + 1);
  Check(again.size() == whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string on_one_line = whole[i].data;
    std::replace(on_one_line.begin(), on_one_line.end(), '\n', ' ');
    Check(again[i].data == on_one_line);
  }
  return 0;
}
