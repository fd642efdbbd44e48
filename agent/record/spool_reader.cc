#include <algorithm>
#include <optional>

#include "agent/record/segment_file.h"
#include "agent/record/spool.h"

namespace sallyport::agent {

bool SpoolReader::Fill(int fd, std::uint64_t need, std::uint64_t limit) {
  std::uint64_t at = position_.offset;
  if (at >= buffer_at_ && at + need <= buffer_at_ + buffer_.size()) return true;
  constexpr std::uint64_t kRead = std::uint64_t{256} << 10;
  if (!ReadInto(buffer_, fd, at, std::min(std::max(need, kRead), limit - at), "a segment").ok()) {
    buffer_.clear();
    return false;
  }
  buffer_at_ = at;
  return buffer_.size() >= need;
}

absl::StatusOr<std::string_view> SpoolReader::Next() {
  for (;;) {
    SpoolPosition committed = spool_.committed();
    if (position_ >= committed) return std::string_view();
    auto [fd, end] = spool_.Segment(position_.generation);
    if (fd < 0) return absl::DataLossError("spool: a segment is gone before it was acknowledged");
    bool is_last = position_.generation == committed.generation;
    std::uint64_t limit = is_last ? committed.offset : end;
    if (!is_last && position_.offset >= limit) {
      // Its seal counts as read.
      if (limit + EntryBytes(0) <= spool_.segment_bytes()) bytes_ += EntryBytes(0);
      position_ = {position_.generation + 1, kSegmentHeadBytes};
      buffer_.clear();
      continue;
    }
    std::optional<EntryHead> head;
    if (Fill(fd, kEntryHeadBytes, limit)) {
      head = ReadEntryHead(std::string_view(buffer_).substr(position_.offset - buffer_at_),
                           position_.generation, position_.offset);
    }
    std::optional<std::string_view> payload;
    if (head && Fill(fd, EntryBytes(head->length), limit)) {
      payload =
          ReadEntryPayload(std::string_view(buffer_).substr(position_.offset - buffer_at_), *head);
    }
    if (!payload) return absl::DataLossError("spool: a committed entry cannot be read back");
    position_.offset += EntryBytes(head->length);
    bytes_ += EntryBytes(head->length);
    if (head->kind == EntryKind::kRecord) return *payload;
  }
}

}  // namespace sallyport::agent
