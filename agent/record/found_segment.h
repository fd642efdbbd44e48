#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/record/spool_entry.h"

namespace sallyport::agent {

// A segment as the last run left it.
struct FoundSegment {
  std::string bytes;
  std::uint64_t generation = 0;
  struct Entry {
    EntryKind kind;
    std::uint64_t offset;
    std::uint64_t length;
    bool after_damage;
  };
  std::vector<Entry> entries;
  std::uint64_t end = kSegmentHeadBytes;
  bool is_sealed = false;
  bool is_damaged = false;
  // What is unreadable lies behind the last entry.
  bool is_end_lost = false;
  // Of the torn last write.
  std::uint64_t cut_bytes = 0;
};

// `is_last`: a torn write is expected at its end.
absl::StatusOr<FoundSegment> ReadSegment(int fd, std::string_view name, std::uint64_t generation,
                                         bool is_last);

}  // namespace sallyport::agent
