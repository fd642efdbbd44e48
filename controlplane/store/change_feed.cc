#include "controlplane/store/change_feed.h"

#include <utility>

namespace sallyport::controlplane {

ChangeFeed::ChangeFeed(size_t capacity) : capacity_(capacity) {}

ChangeFeed::Subscription::~Subscription() {
  absl::MutexLock lock(&feed_.wake_mutex_);
  feed_.wakers_.erase(id_);
}

uint64_t ChangeFeed::Now() const {
  absl::MutexLock lock(&mutex_);
  return next_;
}

Changes ChangeFeed::Since(uint64_t cursor) const {
  absl::MutexLock lock(&mutex_);
  Changes changes{.cursor = next_};
  const uint64_t oldest = next_ - kept_.size();
  if (cursor < oldest || cursor > next_) {
    changes.is_gap = true;
    return changes;
  }
  changes.items.assign(kept_.begin() + static_cast<ptrdiff_t>(cursor - oldest), kept_.end());
  return changes;
}

Changes ChangeFeed::WaitSince(uint64_t cursor, absl::Duration timeout) const {
  {
    absl::MutexLock lock(&mutex_);
    const auto has_news = [this, cursor]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return closed_ || next_ != cursor;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&has_news), timeout);
  }
  return Since(cursor);
}

std::unique_ptr<ChangeFeed::Subscription> ChangeFeed::Subscribe(std::function<void()> wake) {
  absl::MutexLock lock(&wake_mutex_);
  const uint64_t id = next_waker_++;
  wakers_.emplace(id, std::move(wake));
  return std::unique_ptr<Subscription>(new Subscription(*this, id));
}

void ChangeFeed::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool ChangeFeed::is_closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

void ChangeFeed::Append(std::vector<Change> changes) {
  absl::MutexLock lock(&mutex_);
  next_ += changes.size();
  for (Change& change : changes) kept_.push_back(std::move(change));
  while (kept_.size() > capacity_) kept_.pop_front();
}

void ChangeFeed::Wake() {
  absl::MutexLock lock(&wake_mutex_);
  for (const auto& [id, wake] : wakers_) wake();
}

}  // namespace sallyport::controlplane
