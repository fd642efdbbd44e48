#include "agent/loop/heap_rest.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "agent/loop/frame_memory.h"

namespace sallyport::agent {

bool HeapRest::IsDue(std::uint64_t calls, std::uint64_t free_bytes) {
  const bool is_quiet = calls - std::exchange(calls_, calls) < kFewCalls;
  // What is in use again has to be given back again.
  given_back_ = std::min(given_back_, free_bytes);
  if (!is_quiet || free_bytes - given_back_ < kWorthwhileBytes) return false;
  given_back_ = free_bytes;
  return true;
}

void HeapRest::Tick(std::uint64_t calls) {
  const auto heap = mallinfo2();
  if (!IsDue(calls, heap.fordblks + heap.fsmblks + FrameMemory::kept_bytes())) return;
  FrameMemory::GiveBack();
  malloc_trim(0);
}

}  // namespace sallyport::agent
