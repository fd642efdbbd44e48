#pragma once

#include <cstddef>

namespace sallyport::agent {

// Memory of coroutine frames. A call makes a score of them and gives them back a moment later, in
// a few sizes: what is freed is kept for the next one of its size, a bounded number of each, in
// lists of the thread. Under AddressSanitizer nothing is kept, so that it sees a frame's end.
class FrameMemory {
 public:
  static void* Allocate(std::size_t bytes);
  static void Free(void* memory, std::size_t bytes) noexcept;
};

// The same, as an allocator for what Asio keeps while an operation runs.
template <class T>
class FrameAllocator {
 public:
  using value_type = T;
  FrameAllocator() = default;
  template <class U>
  FrameAllocator(const FrameAllocator<U>&) {}

  T* allocate(std::size_t n) { return static_cast<T*>(FrameMemory::Allocate(n * sizeof(T))); }
  void deallocate(T* memory, std::size_t n) noexcept { FrameMemory::Free(memory, n * sizeof(T)); }
  friend bool operator==(FrameAllocator, FrameAllocator) { return true; }
};

}  // namespace sallyport::agent
