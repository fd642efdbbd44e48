#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/record/spool_entry.h"

namespace sallyport::agent {

struct FoundSegment;

struct SpoolOptions {
  // Made with mode 0700 when absent. Nothing else lives in it.
  std::string dir;
  std::uint64_t max_bytes = std::uint64_t{4} << 30;
  // Made smaller where max_bytes would not hold four of them; no entry can be longer than a
  // segment.
  std::uint64_t segment_bytes = std::uint64_t{32} << 20;
  // fdatasync after each write.
  bool sync = false;
  // How long free segments that a backlog has left behind stay, one after the other.
  std::chrono::milliseconds rest = std::chrono::seconds(10);
};

// Between two entries.
struct SpoolPosition {
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const SpoolPosition&, const SpoolPosition&) = default;
  // In one word; an offset is shorter than a segment.
  std::uint64_t Packed() const { return generation << 32 | offset; }
};

// What one Write takes: the appended entries, in segments.
class SpoolBatch {
 public:
  bool empty() const { return chunks_.empty(); }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Chunk& chunk : chunks_) sum += chunk.bytes.size();
    return sum;
  }

 private:
  friend class Spool;
  struct Chunk {
    int fd = -1;
    std::uint64_t generation = 0;
    std::uint64_t offset = 0;
    std::string bytes;
  };
  std::vector<Chunk> chunks_;
};

// Whoever knows what the entries mean.
class SpoolClient {
 public:
  virtual ~SpoolClient() = default;
  // At Open: each entry that the last run left, in the order it was appended. False: it must not be
  // shipped, for something before it is lost; only heard after OnDamage.
  virtual bool OnEntry(EntryKind kind, std::string_view payload) = 0;
  // At Open: between the entry before and the next one, an unknown number of entries is unreadable.
  virtual void OnDamage() = 0;
  // The payload of a segment's first entry (kChains): what the next start must know although the
  // entries that said it have been acknowledged and are gone.
  virtual std::string Checkpoint() = 0;
};

struct SpoolRecovery {
  std::uint64_t records = 0;
  // Of a torn write at the end, which nothing depended on.
  std::uint64_t cut_bytes = 0;
  // Files that were damaged in their middle, as they are kept now.
  std::vector<std::string> quarantined;
};

// Entries on disk until they are acknowledged: segment files that are filled with zeros once and
// then used again and again, so that a sync carries data only and a full disk is met when a segment
// is made, not when a call waits.
//
// Three threads meet here, each with its own functions: one appends (the loop's), one writes (the
// same, or a committer), one reads and acknowledges (the uploader).
class Spool {
 public:
  // `client` outlives the spool.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(SpoolOptions options, SpoolClient& client);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  const SpoolRecovery& recovery() const { return recovery_; }

  // --- the appending thread
  enum class Room { kOrdinary, kReserved };
  // Adds an entry to the batch. kResourceExhausted: no room (ordinary entries leave the reserved
  // bytes alone); kUnavailable: a write has failed before.
  absl::Status Append(EntryKind kind, Room room, std::string_view payload);
  // Room kept for kReserved entries.
  void Reserve(std::uint64_t bytes) { reserved_ += bytes; }
  void Release(std::uint64_t bytes) { reserved_ -= bytes < reserved_ ? bytes : reserved_; }
  // An entry with a payload of so many bytes would go to the last quarter of the segments.
  bool WouldFillLastQuarter(std::uint64_t payload_bytes) const;
  bool has_pending() const { return !pending_.chunks_.empty(); }
  // What was appended since the last call. `reuse` gives its memory back.
  SpoolBatch TakePending(SpoolBatch reuse = {});

  // --- the writing thread
  // Makes the batch durable as the options say and lets the reader see it. Any failure is for good.
  absl::Status Write(const SpoolBatch& batch);

  // --- the reading thread
  // What may be read.
  SpoolPosition committed() const;
  // Where reading starts: what lies before has been acknowledged.
  SpoolPosition start() const { return start_; }
  // The segment's descriptor, and where its entries end when it is sealed (else 0). -1: no such
  // segment.
  std::pair<int, std::uint64_t> Segment(std::uint64_t generation) const;
  // Everything before `position` is acknowledged, `bytes` of it since the last time: frees the
  // segments that lie before it.
  void Acknowledge(SpoolPosition position, std::uint64_t bytes);

  // --- any thread
  absl::Status status() const;
  std::uint64_t backlog_bytes() const {
    std::uint64_t acked = acked_bytes_.load(std::memory_order_relaxed);
    std::uint64_t written = written_bytes_.load(std::memory_order_relaxed);
    return written > acked ? written - acked : 0;
  }
  std::uint64_t capacity_bytes() const { return max_segments_ * segment_bytes_; }
  std::uint64_t segment_bytes() const { return segment_bytes_; }

 private:
  struct File {
    std::string name;
    int fd = -1;
    std::uint64_t generation = 0;  // 0: free
    std::uint64_t end = 0;         // of its entries, once sealed
  };

  struct Rewrite;

  Spool(SpoolOptions options, std::uint64_t max_segments, std::uint64_t segment_bytes,
        SpoolClient& client);
  // spool_recovery.cc
  absl::Status Recover();
  absl::Status ListFiles();
  absl::Status SortFile(File file);
  absl::Status FreeAcknowledged();
  absl::Status Free(File file);
  absl::Status RecoverSegment(File file, bool is_last, Rewrite& rewrite);
  absl::Status KeepSegment(File file, const FoundSegment& found, std::uint64_t from, bool is_last);
  absl::Status VisitSegment(const FoundSegment& found, std::uint64_t from, bool rewrite);
  absl::Status CutTail(const File& file, const FoundSegment& found);
  absl::Status Quarantine(File file);

  absl::StatusOr<File> MakeFile(std::uint64_t name);
  absl::Status EnsureRoom(std::uint64_t entry, std::uint64_t bytes);
  absl::Status Roll();
  void Put(EntryKind kind, std::string_view payload);
  void Prepare();
  bool HasTooMany() const;
  void Fail(const absl::Status& status);

  const SpoolOptions options_;
  const std::uint64_t max_segments_;
  const std::uint64_t segment_bytes_;
  SpoolRecovery recovery_;
  SpoolPosition start_;

  SpoolClient& client_;

  // The appending thread's.
  SpoolBatch pending_;
  std::string spare_;
  std::chrono::steady_clock::time_point disk_full_until_{};
  int current_fd_ = -1;
  bool is_open_ = false;  // the last segment takes entries
  std::uint64_t generation_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t reserved_ = 0;
  // Free segments that the last append wanted behind the one it went to.
  std::atomic<std::uint64_t> wanted_free_{0};

  std::atomic<std::uint64_t> committed_{0};  // generation << 32 | offset
  std::atomic<std::uint64_t> written_bytes_{0};
  std::atomic<std::uint64_t> acked_bytes_{0};
  std::atomic<bool> failed_{false};

  mutable std::mutex mutex_;
  std::deque<File> live_;  // by generation; the last is appended to
  std::vector<File> free_;
  std::uint64_t next_name_ = 0;
  absl::Status failure_;
  // Makes the next segment before it is needed, and gives back those that are not.
  std::condition_variable wake_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread preparer_;
};

// Reads a spool's records from its start, as they are committed. On the reading thread.
class SpoolReader {
 public:
  explicit SpoolReader(Spool& spool) : spool_(spool), position_(spool.start()) {}

  // The next record, a serialized types.v1.Record; a view until the next call. nullopt: nothing
  // more yet. kDataLoss: what was written can no longer be read.
  absl::StatusOr<std::string_view> Next();
  // After the last record returned, and the bytes the spool counts since the last Take.
  SpoolPosition position() const { return position_; }
  std::uint64_t TakeBytes() { return std::exchange(bytes_, 0); }
  // Goes back to what is not acknowledged: a new stream begins.
  void Seek(SpoolPosition position) { position_ = position, bytes_ = 0, buffer_.clear(); }

 private:
  bool Fill(int fd, std::uint64_t need, std::uint64_t limit);

  Spool& spool_;
  SpoolPosition position_;
  std::uint64_t bytes_ = 0;
  // Of the segment position_.generation, from buffer_at_.
  std::string buffer_;
  std::uint64_t buffer_at_ = 0;
};

}  // namespace sallyport::agent
