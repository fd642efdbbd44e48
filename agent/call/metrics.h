#pragma once

#include <array>
#include <cstdint>

#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {

// What the agent counts, for /metrics. On the loop's thread.
struct Metrics {
  std::uint64_t calls_forwarded = 0;
  std::uint64_t messages_delivered = 0;
  std::uint64_t sessions_opened = 0;
  std::uint64_t sessions_ended = 0;
  std::array<std::uint64_t, types::v1::DenialReason_ARRAYSIZE> denials = {};

  void Denied(types::v1::DenialReason reason) {
    const auto place = static_cast<std::size_t>(reason);
    if (place < denials.size()) ++denials[place];
  }
};

}  // namespace sallyport::agent
