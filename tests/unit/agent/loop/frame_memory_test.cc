#include "agent/loop/frame_memory.h"

#include <catch2/catch.hpp>
#include <vector>

namespace sallyport::agent {
namespace {

TEST_CASE("what frames leave behind is used again, kept within bounds, and given back",
          "[agent][loop]") {
  FrameMemory::GiveBack();
  CHECK(FrameMemory::kept_bytes() == 0);
  std::vector<void*> frames;
  for (int i = 0; i < 1000; ++i) frames.push_back(FrameMemory::Allocate(1000));
  for (void* frame : frames) FrameMemory::Free(frame, 1000);
  const std::size_t kept = FrameMemory::kept_bytes();
  CHECK(kept <= 128 * 1024);
  // Under AddressSanitizer nothing is kept.
  if (kept > 0) {
    void* const again = FrameMemory::Allocate(990);
    CHECK(FrameMemory::kept_bytes() < kept);
    FrameMemory::Free(again, 990);
    CHECK(FrameMemory::kept_bytes() == kept);
  }
  FrameMemory::GiveBack();
  CHECK(FrameMemory::kept_bytes() == 0);
}

}  // namespace
}  // namespace sallyport::agent
