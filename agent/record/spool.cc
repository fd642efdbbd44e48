#include "agent/record/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// Where a segment keeps how far it has been acknowledged: a SegmentHead's bytes with the offset in
// the generation's place, behind the generation. Written without a sync: what is lost of it is
// shipped again, which is harmless.
constexpr std::uint64_t kAckAt = 512;
constexpr std::uint64_t kZeroBlock = std::uint64_t{1} << 20;
constexpr std::uint64_t kMinSegmentBytes = std::uint64_t{64} << 10;
constexpr std::string_view kPrefix = "segment-";

absl::Status IoError(std::string_view what, std::string_view name, int error) {
  std::string text =
      absl::StrCat("spool: cannot ", absl::string_view(what.data(), what.size()), " ",
                   absl::string_view(name.data(), name.size()), ": ", strerror(error));
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(text)
                                            : absl::UnavailableError(text);
}

absl::Status WriteAll(int fd, std::string_view bytes, std::uint64_t offset, std::string_view name) {
  while (!bytes.empty()) {
    ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return IoError("write", name, n < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return absl::OkStatus();
}

// Replaces `out`, whose memory is used again.
absl::Status ReadInto(std::string& out, int fd, std::uint64_t offset, std::uint64_t bytes,
                      std::string_view name) {
  out.resize(bytes);
  std::uint64_t have = 0;
  while (have < bytes) {
    ssize_t n = pread(fd, out.data() + have, bytes - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return IoError("read", name, errno);
    if (n == 0) break;
    have += static_cast<std::uint64_t>(n);
  }
  out.resize(have);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(int fd, std::uint64_t offset, std::uint64_t bytes,
                                    std::string_view name) {
  std::string out;
  RETURN_IF_ERROR(ReadInto(out, fd, offset, bytes, name));
  return out;
}

absl::Status SyncDir(const std::string& dir) {
  int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) {
    int error = errno;
    if (fd >= 0) close(fd);
    return IoError("sync", dir, error);
  }
  close(fd);
  return absl::OkStatus();
}

std::string AckMark(std::uint64_t generation, std::uint64_t offset) {
  return SegmentHead(generation) + SegmentHead(offset);
}
std::uint64_t ReadAckMark(std::string_view page, std::uint64_t generation) {
  if (page.size() < kAckAt + 48) return 0;
  auto of = ReadSegmentHead(page.substr(kAckAt));
  auto offset = ReadSegmentHead(page.substr(kAckAt + 24));
  return of == generation && offset ? *offset : 0;
}

constexpr std::uint64_t Pack(SpoolPosition position) {
  return position.generation << 32 | position.offset;
}

}  // namespace

struct Spool::Found {
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

Spool::Spool(SpoolOptions options, std::uint64_t max_segments, std::uint64_t segment_bytes,
             SpoolClient& client)
    : options_(std::move(options)),
      max_segments_(max_segments),
      segment_bytes_(segment_bytes),
      client_(client) {}

Spool::~Spool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (preparer_.joinable()) preparer_.join();
  for (const File& file : live_) close(file.fd);
  for (const File& file : free_) close(file.fd);
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(SpoolOptions options, SpoolClient& client) {
  std::uint64_t segment =
      std::min({options.segment_bytes, options.max_bytes / 4, std::uint64_t{1} << 31});
  segment = std::max(segment, kMinSegmentBytes) / 4096 * 4096;
  std::uint64_t count = std::max<std::uint64_t>(options.max_bytes / segment, 2);
  if (mkdir(options.dir.c_str(), 0700) != 0 && errno != EEXIST)
    return IoError("make", options.dir, errno);
  std::unique_ptr<Spool> spool(new Spool(std::move(options), count, segment, client));
  RETURN_IF_ERROR(spool->Recover());
  spool->preparer_ = std::thread([s = spool.get()] { s->Prepare(); });
  return spool;
}

// --- recovery

absl::Status Spool::ListFiles() {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(options_.dir.c_str()), closedir);
  if (dir == nullptr) return IoError("list", options_.dir, errno);
  while (const dirent* entry = readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix)) continue;
    std::string path = options_.dir + "/" + std::string(name);
    if (name.ends_with(".new")) {  // was being made when the last run ended
      unlink(path.c_str());
      continue;
    }
    std::uint64_t number = std::strtoull(entry->d_name + kPrefix.size(), nullptr, 10);
    next_name_ = std::max(next_name_, number + 1);
    File file{.name = path, .fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    if (file.fd < 0) return IoError("open", path, errno);
    struct stat st {};
    auto page = ReadAll(file.fd, 0, kSegmentHeadBytes, path);
    if (fstat(file.fd, &st) != 0 || !page.ok()) {
      close(file.fd);
      return IoError("read", path, errno);
    }
    auto generation = ReadSegmentHead(*page);
    if (!generation || static_cast<std::uint64_t>(st.st_size) < kSegmentHeadBytes) {
      RETURN_IF_ERROR(Quarantine(std::move(file)));
    } else if (*generation == 0 && static_cast<std::uint64_t>(st.st_size) != segment_bytes_) {
      close(file.fd);  // of another size: the configuration has changed
      unlink(path.c_str());
    } else if (*generation == 0) {
      free_.push_back(std::move(file));
    } else {
      file.generation = *generation;
      SpoolPosition acked{*generation, ReadAckMark(*page, *generation)};
      if (acked.offset != 0 && acked > start_) start_ = acked;
      live_.push_back(std::move(file));
    }
  }
  std::sort(live_.begin(), live_.end(),
            [](const File& a, const File& b) { return a.generation < b.generation; });
  return absl::OkStatus();
}

absl::StatusOr<Spool::Found> Spool::ReadSegment(const File& file, bool is_last) const {
  struct stat st {};
  if (fstat(file.fd, &st) != 0) return IoError("read", file.name, errno);
  Found found{.generation = file.generation};
  auto bytes = ReadAll(file.fd, 0, static_cast<std::uint64_t>(st.st_size), file.name);
  if (!bytes.ok()) return bytes.status();
  found.bytes = *std::move(bytes);
  std::string_view all = found.bytes;
  bool after_damage = false;
  std::uint64_t at = kSegmentHeadBytes;
  std::uint64_t first_bad = 0;  // of a write that may only be torn
  while (at + kEntryHeadBytes <= all.size()) {
    auto head = ReadEntryHead(all.substr(at), file.generation, at);
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

absl::Status Spool::VisitSegment(const Found& found, std::uint64_t from, bool rewrite) {
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
absl::Status Spool::CutTail(const File& file, const Found& found) {
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

absl::Status Spool::Recover() {
  RETURN_IF_ERROR(ListFiles());
  bool is_segment_lost = !recovery_.quarantined.empty();
  // Acknowledged as a whole; the segment that holds the start knows the chains by its first entry.
  while (!live_.empty() && live_.front().generation < start_.generation) {
    RETURN_IF_ERROR(WriteAll(live_.front().fd, SegmentHead(0), 0, live_.front().name));
    live_.front().generation = 0;
    free_.push_back(std::move(live_.front()));
    live_.pop_front();
  }
  std::deque<File> found_files = std::exchange(live_, {});
  std::uint64_t last_generation = found_files.empty() ? 0 : found_files.back().generation;
  std::vector<File> replaced;
  bool rewrite = false;
  for (std::size_t i = 0; i < found_files.size(); ++i) {
    File& file = found_files[i];
    bool is_last = i + 1 == found_files.size();
    if (i > 0 && file.generation != found_files[i - 1].generation + 1) client_.OnDamage();
    ASSIGN_OR_RETURN(Found found, ReadSegment(file, is_last));
    if (found.is_damaged &&
        !rewrite) {  // from here on, what can be shipped goes to segments of its own
      rewrite = true;
      generation_ = last_generation;
      is_open_ = false;
      RETURN_IF_ERROR(Roll());
    }
    std::uint64_t from = file.generation == start_.generation ? start_.offset : 0;
    RETURN_IF_ERROR(VisitSegment(found, from, rewrite));
    if (found.is_end_lost) client_.OnDamage();
    if (rewrite) {
      if (found.is_damaged) {
        RETURN_IF_ERROR(Quarantine(std::move(file)));
      } else {
        replaced.push_back(std::move(file));
      }
      continue;
    }
    if (found.cut_bytes != 0) RETURN_IF_ERROR(CutTail(file, found));
    for (const auto& entry : found.entries) {
      if (entry.offset >= from) written_bytes_ += EntryBytes(entry.length);
    }
    file.end = found.end;
    if (found.is_sealed && from <= found.end) written_bytes_ += EntryBytes(0);
    live_.push_back(std::move(file));
    // A segment that was sealed, or is of another size than ours, is not appended to.
    bool is_open = is_last && !found.is_sealed && found.bytes.size() == segment_bytes_;
    generation_ = live_.back().generation;
    offset_ = is_open ? found.end : segment_bytes_;
    is_open_ = is_open;
    current_fd_ = live_.back().fd;
  }
  if (is_segment_lost) client_.OnDamage();
  // Segments written by the rewrite stand behind those that were kept.
  std::stable_sort(live_.begin(), live_.end(),
                   [](const File& a, const File& b) { return a.generation < b.generation; });
  for (File& file : replaced) {
    RETURN_IF_ERROR(WriteAll(file.fd, SegmentHead(0), 0, file.name));
    file.generation = 0;
    free_.push_back(std::move(file));
  }
  if (live_.empty()) {
    offset_ = segment_bytes_;
    RETURN_IF_ERROR(Roll());
    RETURN_IF_ERROR(Write(TakePending()));
  } else if (!rewrite) {
    committed_ = Pack({generation_, live_.back().end});
  }
  if (start_.offset == 0 || start_.generation < live_.front().generation) {
    start_ = {live_.front().generation, kSegmentHeadBytes};
  }
  return absl::OkStatus();
}

// --- appending

absl::StatusOr<Spool::File> Spool::MakeFile(std::uint64_t name) {
  File file{.name = absl::StrFormat("%s/%s%06d", options_.dir,
                                    absl::string_view(kPrefix.data(), kPrefix.size()), name)};
  std::string made = file.name + ".new";
  file.fd = open(made.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file.fd < 0) return IoError("make", made, errno);
  std::string zeros(std::min(kZeroBlock, segment_bytes_), '\0');
  absl::Status status;
  for (std::uint64_t at = 0; at < segment_bytes_ && status.ok(); at += zeros.size()) {
    status = WriteAll(file.fd,
                      std::string_view(zeros).substr(
                          0, std::min<std::uint64_t>(zeros.size(), segment_bytes_ - at)),
                      at, made);
  }
  if (status.ok()) status = WriteAll(file.fd, SegmentHead(0), 0, made);
  if (status.ok() && fsync(file.fd) != 0) status = IoError("sync", made, errno);
  if (status.ok() && rename(made.c_str(), file.name.c_str()) != 0)
    status = IoError("name", made, errno);
  if (status.ok()) status = SyncDir(options_.dir);
  if (!status.ok()) {
    close(file.fd);
    unlink(made.c_str());
    return status;
  }
  return file;
}

void Spool::Prepare() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!wanted_ || !free_.empty() || live_.size() >= max_segments_) {
      wanted_ = false;
      wake_.wait(lock);
      continue;
    }
    wanted_ = false;
    std::uint64_t name = next_name_++;
    lock.unlock();
    auto file = MakeFile(name);
    lock.lock();
    // A failure is met, and told, by the append that needs the room.
    if (file.ok()) free_.push_back(*std::move(file));
  }
}

absl::Status Spool::EnsureRoom(std::uint64_t entry, std::uint64_t bytes) {
  std::uint64_t left = segment_bytes_ - offset_;
  if (left >= bytes) return absl::OkStatus();
  std::unique_lock lock(mutex_);
  for (;;) {
    // A segment loses its head, its first entry and what is too short for the next entry at its
    // end.
    std::uint64_t usable = segment_bytes_ - std::min(segment_bytes_, 2 * kSegmentHeadBytes);
    if ((left >= entry ? left : 0) + free_.size() * usable >= bytes) return absl::OkStatus();
    if (live_.size() + free_.size() >= max_segments_) {
      return absl::ResourceExhaustedError(
          "the spool is full: the control plane has not acknowledged what it holds");
    }
    if (std::chrono::steady_clock::now() < disk_full_until_) {
      return absl::ResourceExhaustedError("the spool cannot grow: the disk is full");
    }
    std::uint64_t name = next_name_++;
    lock.unlock();
    auto file = MakeFile(name);
    lock.lock();
    if (!file.ok()) {
      disk_full_until_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      return absl::ResourceExhaustedError(file.status().message());
    }
    free_.push_back(*std::move(file));
  }
}

absl::Status Spool::Roll() {
  std::unique_lock lock(mutex_);
  if (free_.empty()) {
    if (!recovery_.quarantined.empty() || live_.size() < max_segments_) {
      std::uint64_t name = next_name_++;
      lock.unlock();
      auto file = MakeFile(name);
      lock.lock();
      if (!file.ok()) return absl::ResourceExhaustedError(file.status().message());
      free_.push_back(*std::move(file));
    } else {
      return absl::ResourceExhaustedError(
          "the spool is full: the control plane has not acknowledged what it holds");
    }
  }
  File file = std::move(free_.back());
  free_.pop_back();
  if (is_open_) {
    live_.back().end = offset_;
    if (offset_ + EntryBytes(0) <= segment_bytes_) {
      lock.unlock();
      Put(EntryKind::kSeal, {});
      lock.lock();
    }
  }
  file.generation = ++generation_;
  file.end = 0;
  current_fd_ = file.fd;
  offset_ = kSegmentHeadBytes;
  is_open_ = true;
  pending_.chunks_.push_back(
      {.fd = file.fd, .generation = generation_, .offset = 0, .bytes = SegmentHead(generation_)});
  live_.push_back(std::move(file));
  wanted_ = true;
  lock.unlock();
  wake_.notify_one();
  Put(EntryKind::kChains, client_.Checkpoint());
  return absl::OkStatus();
}

void Spool::Put(EntryKind kind, std::string_view payload) {
  auto& chunks = pending_.chunks_;
  if (chunks.empty() || chunks.back().generation != generation_ || chunks.back().offset == 0) {
    spare_.clear();
    chunks.push_back({.fd = current_fd_,
                      .generation = generation_,
                      .offset = offset_,
                      .bytes = std::move(spare_)});
    spare_ = {};
  }
  SpoolBatch::Chunk& chunk = chunks.back();
  AppendEntry(chunk.bytes,
              {.kind = kind,
               .generation = generation_,
               .offset = static_cast<std::uint32_t>(offset_),
               .batch = static_cast<std::uint32_t>(chunk.offset)},
              payload);
  offset_ += EntryBytes(payload.size());
}

absl::Status Spool::Append(EntryKind kind, Room room, std::string_view payload) {
  if (failed_.load(std::memory_order_acquire)) return status();
  std::uint64_t bytes = EntryBytes(payload.size());
  if (bytes > segment_bytes_ - 2 * kSegmentHeadBytes) {
    return absl::ResourceExhaustedError("the record is longer than a segment of the spool");
  }
  if (room == Room::kOrdinary) RETURN_IF_ERROR(EnsureRoom(bytes, bytes + reserved_));
  if (offset_ + bytes > segment_bytes_) {
    RETURN_IF_ERROR(Roll());
    if (offset_ + bytes > segment_bytes_) {
      return absl::ResourceExhaustedError("the record is longer than a segment of the spool");
    }
  }
  Put(kind, payload);
  return absl::OkStatus();
}

SpoolBatch Spool::TakePending(SpoolBatch reuse) {
  if (!reuse.chunks_.empty()) spare_ = std::move(reuse.chunks_.back().bytes);
  return std::exchange(pending_, {});
}

// --- writing

absl::Status Spool::Write(const SpoolBatch& batch) {
  if (failed_.load(std::memory_order_acquire)) return status();
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < batch.chunks_.size(); ++i) {
    const auto& chunk = batch.chunks_[i];
    absl::Status done = WriteAll(chunk.fd, chunk.bytes, chunk.offset, "a segment");
    // The old segment is on disk before the new one's first byte, so that only the last segment can
    // be torn.
    bool is_last_of_file = i + 1 == batch.chunks_.size() || batch.chunks_[i + 1].fd != chunk.fd;
    if (done.ok() && options_.sync && is_last_of_file && fdatasync(chunk.fd) != 0) {
      done = IoError("sync", "a segment", errno);
    }
    if (!done.ok()) {
      Fail(done);
      return status();
    }
    if (chunk.offset != 0) bytes += chunk.bytes.size();
  }
  if (batch.chunks_.empty()) return absl::OkStatus();
  const auto& last = batch.chunks_.back();
  written_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  committed_.store(Pack({last.generation, last.offset + last.bytes.size()}),
                   std::memory_order_release);
  return absl::OkStatus();
}

void Spool::Fail(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  if (failure_.ok()) {
    failure_ = absl::UnavailableError(absl::StrCat(
        status.message(),
        "; the recorder has stopped for good, restart the agent once the disk is well"));
  }
  failed_.store(true, std::memory_order_release);
}

absl::Status Spool::status() const {
  if (!failed_.load(std::memory_order_acquire)) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  return failure_;
}

// --- reading

SpoolPosition Spool::committed() const {
  std::uint64_t packed = committed_.load(std::memory_order_acquire);
  return {packed >> 32, packed & 0xffffffff};
}

std::pair<int, std::uint64_t> Spool::Segment(std::uint64_t generation) const {
  std::lock_guard lock(mutex_);
  for (const File& file : live_) {
    if (file.generation == generation) return {file.fd, &file == &live_.back() ? 0 : file.end};
  }
  return {-1, 0};
}

void Spool::Acknowledge(SpoolPosition position, std::uint64_t bytes) {
  acked_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  start_ = position;
  std::lock_guard lock(mutex_);
  while (live_.size() > 1 && live_.front().generation < position.generation) {
    // A head or a mark that cannot be written costs a second shipment, which is harmless.
    WriteAll(live_.front().fd, SegmentHead(0), 0, live_.front().name).IgnoreError();
    live_.front().generation = 0;
    free_.push_back(std::move(live_.front()));
    live_.pop_front();
  }
  if (live_.front().generation != position.generation) return;
  WriteAll(live_.front().fd, AckMark(position.generation, position.offset), kAckAt,
           live_.front().name)
      .IgnoreError();
}

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
