// What is read as an event id is what the writer gives for it: a place has one spelling.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/call/event_id.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto id = sallyport::agent::ParseEventId(text)) {
    std::string written;
    sallyport::agent::AppendEventId(written, *id);
    if (written != text) std::abort();
  }
  return 0;
}
