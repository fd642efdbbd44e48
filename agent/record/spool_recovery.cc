#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/record/found_segment.h"
#include "agent/record/segment_file.h"
#include "agent/record/spool.h"
#include "common/status_macros.h"

namespace sallyport::agent {

// What the segments hold that cannot stay where it is goes to segments of its own.
struct Spool::Rewrite {
  bool has_begun = false;
  std::uint64_t last_generation = 0;  // that was found
  std::vector<File> replaced;
};

absl::Status Spool::Recover() {
  RETURN_IF_ERROR(ListFiles());
  const bool is_segment_lost = !recovery_.quarantined.empty();
  RETURN_IF_ERROR(FreeAcknowledged());
  std::deque<File> found = std::exchange(live_, {});
  Rewrite rewrite{.last_generation = found.empty() ? 0 : found.back().generation};
  std::uint64_t before = 0;
  while (!found.empty()) {
    File file = std::move(found.front());
    found.pop_front();
    if (before != 0 && file.generation != before + 1) client_.OnDamage();
    before = file.generation;
    RETURN_IF_ERROR(RecoverSegment(std::move(file), found.empty(), rewrite));
  }
  if (is_segment_lost) client_.OnDamage();
  // Segments written by the rewrite stand behind those that were kept.
  std::stable_sort(live_.begin(), live_.end(),
                   [](const File& a, const File& b) { return a.generation < b.generation; });
  for (File& file : rewrite.replaced) RETURN_IF_ERROR(Free(std::move(file)));
  if (live_.empty()) {
    offset_ = segment_bytes_;
    RETURN_IF_ERROR(Roll());
    RETURN_IF_ERROR(Write(TakePending()));
  } else if (!rewrite.has_begun) {
    committed_ = SpoolPosition{generation_, live_.back().end}.Packed();
  }
  if (start_.offset == 0 || start_.generation < live_.front().generation) {
    start_ = {live_.front().generation, kSegmentHeadBytes};
  }
  return absl::OkStatus();
}

absl::Status Spool::Free(File file) {
  RETURN_IF_ERROR(WriteAll(file.fd, SegmentHead(0), 0, file.name));
  file.generation = 0;
  free_.push_back(std::move(file));
  return absl::OkStatus();
}

// Acknowledged as a whole; the segment that holds the start knows the chains by its first entry.
absl::Status Spool::FreeAcknowledged() {
  while (!live_.empty() && live_.front().generation < start_.generation) {
    File file = std::move(live_.front());
    live_.pop_front();
    RETURN_IF_ERROR(Free(std::move(file)));
  }
  return absl::OkStatus();
}

absl::Status Spool::RecoverSegment(File file, bool is_last, Rewrite& rewrite) {
  ASSIGN_OR_RETURN(const FoundSegment found,
                   ReadSegment(file.fd, file.name, file.generation, is_last));
  if (found.is_damaged && !rewrite.has_begun) {
    rewrite.has_begun = true;
    generation_ = rewrite.last_generation;
    is_open_ = false;
    RETURN_IF_ERROR(Roll());
  }
  const std::uint64_t from = file.generation == start_.generation ? start_.offset : 0;
  RETURN_IF_ERROR(VisitSegment(found, from, rewrite.has_begun));
  if (found.is_end_lost) client_.OnDamage();
  if (!rewrite.has_begun) return KeepSegment(std::move(file), found, from, is_last);
  if (found.is_damaged) return Quarantine(std::move(file));
  rewrite.replaced.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status Spool::KeepSegment(File file, const FoundSegment& found, std::uint64_t from,
                                bool is_last) {
  if (found.cut_bytes != 0) RETURN_IF_ERROR(CutTail(file, found));
  for (const auto& entry : found.entries) {
    if (entry.offset >= from) written_bytes_ += EntryBytes(entry.length);
  }
  file.end = found.end;
  if (found.is_sealed && from <= found.end) written_bytes_ += EntryBytes(0);
  // A segment that was sealed, or is of another size than ours, is not appended to.
  is_open_ = is_last && !found.is_sealed && found.bytes.size() == segment_bytes_;
  generation_ = file.generation;
  offset_ = is_open_ ? found.end : segment_bytes_;
  current_fd_ = file.fd;
  live_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status Spool::ListFiles() {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(options_.dir.c_str()), closedir);
  if (dir == nullptr) return IoError("list", options_.dir, errno);
  while (const dirent* entry = readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kSegmentPrefix)) continue;
    std::string path = options_.dir + "/" + std::string(name);
    if (name.ends_with(".new")) {  // was being made when the last run ended
      unlink(path.c_str());
      continue;
    }
    const std::uint64_t number = std::strtoull(entry->d_name + kSegmentPrefix.size(), nullptr, 10);
    next_name_ = std::max(next_name_, number + 1);
    File file{.name = path, .fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    if (file.fd < 0) return IoError("open", path, errno);
    RETURN_IF_ERROR(SortFile(std::move(file)));
  }
  std::sort(live_.begin(), live_.end(),
            [](const File& a, const File& b) { return a.generation < b.generation; });
  return absl::OkStatus();
}

absl::Status Spool::SortFile(File file) {
  struct stat st {};
  auto page = ReadAll(file.fd, 0, kSegmentHeadBytes, file.name);
  if (fstat(file.fd, &st) != 0 || !page.ok()) {
    close(file.fd);
    return IoError("read", file.name, errno);
  }
  const auto size = static_cast<std::uint64_t>(st.st_size);
  const auto generation = ReadSegmentHead(*page);
  if (!generation || size < kSegmentHeadBytes) return Quarantine(std::move(file));
  if (*generation == 0 && size != segment_bytes_) {
    close(file.fd);  // of another size: the configuration has changed
    unlink(file.name.c_str());
  } else if (*generation == 0) {
    free_.push_back(std::move(file));
  } else {
    file.generation = *generation;
    const SpoolPosition acked{*generation, ReadAckMark(*page, *generation)};
    if (acked.offset != 0 && acked > start_) start_ = acked;
    live_.push_back(std::move(file));
  }
  return absl::OkStatus();
}

absl::Status Spool::VisitSegment(const FoundSegment& found, std::uint64_t from, bool rewrite) {
  for (const auto& entry : found.entries) {
    if (entry.after_damage) client_.OnDamage();
    std::string_view payload =
        std::string_view(found.bytes).substr(entry.offset + kEntryHeadBytes, entry.length);
    bool keep = client_.OnEntry(entry.kind, payload);
    if (entry.offset < from || entry.kind != EntryKind::kRecord) continue;
    ++recovery_.records;
    if (!rewrite || !keep) continue;
    if (offset_ + EntryBytes(entry.length) > segment_bytes_) RETURN_IF_ERROR(Roll());
    Put(entry.kind, payload);
    RETURN_IF_ERROR(Write(TakePending()));
  }
  return absl::OkStatus();
}

// What a torn write left would else be found again behind the entries that will overwrite its
// begin.
absl::Status Spool::CutTail(const File& file, const FoundSegment& found) {
  recovery_.cut_bytes = found.cut_bytes;
  std::uint64_t size = found.bytes.size();
  std::string zeros(kZeroBlock, '\0');
  for (std::uint64_t at = found.end; at < size; at += kZeroBlock) {
    RETURN_IF_ERROR(WriteAll(file.fd,
                             std::string_view(zeros).substr(0, std::min(kZeroBlock, size - at)), at,
                             file.name));
  }
  return fdatasync(file.fd) == 0 ? absl::OkStatus() : IoError("sync", file.name, errno);
}

absl::Status Spool::Quarantine(File file) {
  std::string dir = options_.dir + "/quarantine";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return IoError("make", dir, errno);
  std::string to =
      absl::StrFormat("%s/%d-%s", dir, time(nullptr), file.name.substr(file.name.rfind('/') + 1));
  if (rename(file.name.c_str(), to.c_str()) != 0) return IoError("set aside", file.name, errno);
  close(file.fd);
  recovery_.quarantined.push_back(to);
  return SyncDir(options_.dir);
}

}  // namespace sallyport::agent
