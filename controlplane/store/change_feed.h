#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

enum class ChangeKind {
  kSession,
  kApproval,
  kSnapshot,  // documents, issuers' keys or an agent's servers; the id is empty
  kAgent,
  kOutbox,
};

struct Change {
  ChangeKind kind;
  std::string id;
  bool operator==(const Change&) const = default;
};

// What happened since a cursor.
struct Changes {
  std::vector<Change> items;  // in the order of their commits
  uint64_t cursor = 0;        // to ask again from
  // More has happened than the feed remembers: `items` is empty, and the reader starts over from
  // the tables.
  bool is_gap = false;
};

// Tells watchers what has been committed. A watcher takes the cursor FIRST, then reads the tables,
// then asks for what came since the cursor: so it misses nothing, though it may see a change twice.
// Thread-safe.
class ChangeFeed {
 public:
  static constexpr size_t kRemembered = 65536;

  // Remembers the last `capacity` changes.
  explicit ChangeFeed(size_t capacity = kRemembered);
  ChangeFeed(const ChangeFeed&) = delete;
  ChangeFeed& operator=(const ChangeFeed&) = delete;

  // Ends when it is destroyed: `wake` is not running then and never runs again.
  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class ChangeFeed;
    Subscription(ChangeFeed& feed, uint64_t id) : feed_(feed), id_(id) {}
    ChangeFeed& feed_;
    uint64_t id_;
  };

  // The cursor after all that has been committed.
  uint64_t Now() const;

  // Never blocks.
  Changes Since(uint64_t cursor) const;

  // Blocks until there is something to give, or until `timeout` has passed (then `items` is empty),
  // or until Close.
  Changes WaitSince(uint64_t cursor, absl::Duration timeout) const;

  // Calls `wake` after each commit that changed something, on the committing thread with no
  // transaction open. It must be quick, and must neither call this feed nor end a subscription.
  [[nodiscard]] std::unique_ptr<Subscription> Subscribe(std::function<void()> wake);

  // Ends all waits, now and later: the program is stopping.
  void Close();
  bool is_closed() const;

 private:
  friend class WriteTransaction;

  // In commit order: called by the database while it holds its write connection.
  void Append(std::vector<Change> changes);
  // Called after the write connection was let go.
  void Wake();

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;  // the cursor of the next change
  std::deque<Change> kept_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex wake_mutex_;
  std::map<uint64_t, std::function<void()>> wakers_ ABSL_GUARDED_BY(wake_mutex_);
  uint64_t next_waker_ ABSL_GUARDED_BY(wake_mutex_) = 1;
};

}  // namespace sallyport::controlplane
