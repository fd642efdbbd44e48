#include "agent/record/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/record/segment_file.h"
#include "common/log.h"
#include "common/operator_detail.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

constexpr std::uint64_t kMinSegmentBytes = std::uint64_t{64} << 10;

// No room, whatever kept a segment from being made. The log says what and where: once for each time
// that it was tried.
absl::Status CannotGrow(const absl::Status& failed) {
  LogError("spool_cannot_grow", {{"status", failed}});
  return absl::ResourceExhaustedError(failed.message());
}

}  // namespace

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

// --- appending

absl::StatusOr<Spool::File> Spool::MakeFile(std::uint64_t name) {
  File file{.name = absl::StrFormat("%s/%s%06d", options_.dir,
                                    absl::string_view(kSegmentPrefix.data(), kSegmentPrefix.size()),
                                    name)};
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

// More than are filled one after the other while the control plane keeps up.
bool Spool::HasTooMany() const {
  constexpr std::uint64_t kSpare = 2;
  return free_.size() > std::max(kSpare, wanted_free_.load(std::memory_order_relaxed));
}

void Spool::Prepare() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!wanted_ || !free_.empty() || live_.size() >= max_segments_) {
      wanted_ = false;
      if (!HasTooMany()) {
        wake_.wait(lock);
      } else if (wake_.wait_for(lock, options_.rest) == std::cv_status::timeout && HasTooMany()) {
        const File file = std::move(free_.front());
        free_.erase(free_.begin());
        lock.unlock();
        close(file.fd);
        unlink(file.name.c_str());
        lock.lock();
      }
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
  // A segment loses its head, its first entry and what is too short for the next entry at its end.
  const std::uint64_t usable = segment_bytes_ - 2 * kSegmentHeadBytes;
  std::unique_lock lock(mutex_);
  wanted_free_.store(bytes / usable + 1, std::memory_order_relaxed);
  for (;;) {
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
      return CannotGrow(file.status());
    }
    free_.push_back(*std::move(file));
  }
}

bool Spool::WouldFillLastQuarter(std::uint64_t payload_bytes) const {
  const bool rolls = offset_ + EntryBytes(payload_bytes) > segment_bytes_;
  const std::lock_guard lock(mutex_);
  return (live_.size() + (rolls ? 1 : 0)) * 4 > max_segments_ * 3;
}

absl::Status Spool::Roll() {
  std::unique_lock lock(mutex_);
  if (free_.empty()) {
    if (!recovery_.quarantined.empty() || live_.size() < max_segments_) {
      std::uint64_t name = next_name_++;
      lock.unlock();
      auto file = MakeFile(name);
      lock.lock();
      if (!file.ok()) return CannotGrow(file.status());
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
  committed_.store(SpoolPosition{last.generation, last.offset + last.bytes.size()}.Packed(),
                   std::memory_order_release);
  return absl::OkStatus();
}

void Spool::Fail(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  if (failure_.ok()) {
    failure_ = WithOperatorDetail(
        absl::UnavailableError(absl::StrCat(
            status.message(),
            "; the recorder has stopped for good, restart the agent once the disk is well")),
        OperatorDetailOf(status));
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
  if (HasTooMany()) wake_.notify_one();
  if (live_.front().generation != position.generation) return;
  WriteAll(live_.front().fd, AckMark(position.generation, position.offset), kAckAt,
           live_.front().name)
      .IgnoreError();
}

}  // namespace sallyport::agent
