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

  // What this thread's lists keep. Each piece keeps the page that it lies on from the system.
  static std::size_t kept_bytes();
  // Gives all of it back to the heap.
  static void GiveBack();
};

}  // namespace sallyport::agent
