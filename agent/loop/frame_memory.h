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

}  // namespace sallyport::agent
