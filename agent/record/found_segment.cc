#include "agent/record/found_segment.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "agent/record/segment_file.h"

namespace sallyport::agent {

absl::StatusOr<FoundSegment> ReadSegment(int fd, std::string_view name, std::uint64_t generation,
                                         bool is_last) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return IoError("read", name, errno);
  FoundSegment found{.generation = generation};
  auto bytes = ReadAll(fd, 0, static_cast<std::uint64_t>(st.st_size), name);
  if (!bytes.ok()) return bytes.status();
  found.bytes = *std::move(bytes);
  std::string_view all = found.bytes;
  bool after_damage = false;
  std::uint64_t at = kSegmentHeadBytes;
  std::uint64_t first_bad = 0;  // of a write that may only be torn
  while (at + kEntryHeadBytes <= all.size()) {
    auto head = ReadEntryHead(all.substr(at), generation, at);
    auto payload = head ? ReadEntryPayload(all.substr(at), *head) : std::nullopt;
    if (!payload) {
      if (first_bad == 0) first_bad = at;
      if (head) found.cut_bytes = std::max(found.cut_bytes, at + kEntryHeadBytes - first_bad);
      at += 8;
      continue;
    }
    if (first_bad != 0) {
      if (is_last && head->batch <= first_bad) {  // carried by the same torn write
        at += EntryBytes(head->length);
        found.cut_bytes = at - first_bad;
        continue;
      }
      after_damage = found.is_damaged = true;
      first_bad = 0;
    }
    if (head->kind == EntryKind::kSeal) {
      found.is_sealed = true;
      found.end = at;
      at = all.size();
      break;
    }
    found.entries.push_back({head->kind, at, head->length, after_damage});
    after_damage = false;
    at += EntryBytes(head->length);
    found.end = at;
  }
  bool is_full = found.end + kEntryHeadBytes > all.size();
  found.is_end_lost = after_damage || (!is_last && !found.is_sealed && !is_full);
  found.is_damaged = found.is_damaged || found.is_end_lost;
  if (found.is_sealed || first_bad == 0) found.cut_bytes = 0;
  return found;
}

}  // namespace sallyport::agent
