#include "agent/loop/frame_memory.h"

#include <array>
#include <cstdint>
#include <new>

namespace sallyport::agent {
namespace {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr std::size_t kLargestKept = 0;
#else
constexpr std::size_t kLargestKept = 16384;
#endif
constexpr std::size_t kStep = 64;
// Of one size: as many as a session may have calls in flight.
constexpr std::uint32_t kMaxKept = 128;

struct Unused {
  Unused* next;
};
struct List {
  Unused* first = nullptr;
  std::uint32_t size = 0;
};
// Never torn down: the loop's thread lives as long as the program.
constinit thread_local std::array<List, kLargestKept / kStep + 1> lists{};

}  // namespace

void* FrameMemory::Allocate(std::size_t bytes) {
  const std::size_t index = (bytes + kStep - 1) / kStep;
  if (index >= lists.size()) return ::operator new(bytes);
  List& list = lists[index];
  if (list.first == nullptr) return ::operator new(index* kStep);
  --list.size;
  Unused* const taken = list.first;
  list.first = taken->next;
  return taken;
}

void FrameMemory::Free(void* memory, std::size_t bytes) noexcept {
  const std::size_t index = (bytes + kStep - 1) / kStep;
  if (index >= lists.size() || lists[index].size == kMaxKept) return ::operator delete(memory);
  List& list = lists[index];
  ++list.size;
  list.first = new (memory) Unused{list.first};
}

std::size_t FrameMemory::kept_bytes() {
  std::size_t sum = 0;
  for (std::size_t index = 0; index < lists.size(); ++index)
    sum += lists[index].size * index * kStep;
  return sum;
}

void FrameMemory::GiveBack() {
  for (List& list : lists) {
    while (list.first != nullptr) {
      Unused* const unused = list.first;
      list.first = unused->next;
      ::operator delete(unused);
    }
    list.size = 0;
  }
}

}  // namespace sallyport::agent
