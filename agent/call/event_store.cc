#include "agent/call/event_store.h"

#include <algorithm>
#include <utility>

#include "common/denial.h"

namespace sallyport::agent {
namespace {

// What a reader may lag behind before whoever writes the stream waits for it.
constexpr std::uint64_t kMaxUnread = 64;
constexpr std::size_t kMaxUnreadBytes = std::size_t{256} << 10;

// Bytes that may be forgotten: the newest message is not among them.
std::size_t WithoutNewest(std::size_t bytes, const std::deque<RecordedMessage>& kept) {
  return kept.empty() ? bytes : bytes - kept.back().bytes().size();
}

}  // namespace

void StreamLog::Close() {
  is_closed_ = true;
  changed_.Set();
}

Task<void> StreamLog::WaitForRoom() {
  const auto is_full = [this] {
    if (reader_ == nullptr) return false;
    std::size_t bytes = 0;
    for (std::uint64_t n = std::max(reader_->n_ + 1, first_); n <= last(); ++n) {
      bytes += kept_[n - first_].bytes().size();
    }
    return last() - reader_->n_ > kMaxUnread || bytes > kMaxUnreadBytes;
  };
  while (is_full()) {
    room_.Reset();
    co_await room_.Wait();
  }
}

bool StreamLog::MayDrop() const {
  return !kept_.empty() && (reader_ == nullptr || reader_->n_ >= first_);
}

void StreamLog::SetReader(StreamReader* reader) {
  reader_ = reader;
  had_reader_ = true;
  room_.Set();
  changed_.Set();
  if (watcher_) watcher_();
}

StreamReader::StreamReader(StreamLog& log, std::uint64_t n) : log_(log), n_(n) {
  log.SetReader(this);
}

StreamReader::StreamReader(StreamLog& log)
    : StreamReader(log, std::max(log.taken_, log.first_ - 1)) {}

StreamReader::~StreamReader() {
  if (!is_displaced()) log_->SetReader(nullptr);
}

const RecordedMessage* StreamReader::Next() {
  if (is_displaced() || n_ >= log_->last()) return nullptr;
  ++n_;
  log_->taken_ = std::max(log_->taken_, n_);
  log_->room_.Set();
  return &log_->kept_[n_ - log_->first_];
}

Task<void> StreamReader::Wait() {
  log_->changed_.Reset();
  co_await log_->changed_.Wait();
}

std::uint64_t EventStore::Reserve() {
  reserved_.push_back(++last_number_);
  return last_number_;
}

void EventStore::Release(std::uint64_t number) {
  std::erase(reserved_, number);
  if (StreamLog* log = Find(number)) log->Close();
}

StreamLog* EventStore::Find(std::uint64_t number) {
  const auto place = logs_.find(number);
  return place == logs_.end() ? nullptr : &place->second;
}

StreamLog& EventStore::Log(std::uint64_t number) {
  const auto [place, is_new] = logs_.try_emplace(number, loop_, number);
  // As many as can grow at a time fit, so there is one that is complete.
  if (is_new && logs_.size() > limits_.streams) ForgetOne(place->second);
  return place->second;
}

absl::StatusOr<StreamLog*> EventStore::FindAfter(std::uint64_t number, std::uint64_t n) {
  StreamLog* log = Find(number);
  if (log == nullptr && std::find(reserved_.begin(), reserved_.end(), number) != reserved_.end()) {
    log = &Log(number);
  }
  if (number > last_number_ || (log == nullptr && number == 0) ||
      (log != nullptr && n > log->last())) {
    return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                  "Last-Event-ID is of no event of this MCP session");
  }
  if (log == nullptr || !log->HasAllAfter(n)) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  "what the stream carried after that event is not kept any more");
  }
  return log;
}

void EventStore::Append(StreamLog& log, RecordedMessage message) {
  const std::size_t size = message.bytes().size();
  log.kept_.push_back(std::move(message));
  log.bytes_ += size;
  bytes_ += size;
  ++events_;
  while (log.kept_.size() > 1 && log.MayDrop() &&
         (log.kept_.size() > limits_.stream_events ||
          WithoutNewest(log.bytes_, log.kept_) > limits_.stream_bytes)) {
    DropOldest(log);
  }
  while (IsOverLimits(log) && ForgetOne(log)) {
  }
  log.changed_.Set();
}

bool EventStore::IsOverLimits(const StreamLog& newest) const {
  return events_ > limits_.events || WithoutNewest(bytes_, newest.kept_) > limits_.bytes;
}

bool EventStore::ForgetOne(StreamLog& newest) {
  using Test = bool (*)(const StreamLog&);
  constexpr Test kDelivered = [](const StreamLog& log) { return log.is_delivered_; };
  constexpr Test kComplete = [](const StreamLog& log) { return log.is_closed_; };
  constexpr Test kGrowing = [](const StreamLog& log) { return !log.kept_.empty(); };
  for (const Test may_go : {kDelivered, kComplete, kGrowing}) {
    for (auto place = logs_.begin(); place != logs_.end(); ++place) {
      StreamLog& log = place->second;
      if (&log == &newest || log.number_ == 0 || log.has_reader() || !may_go(log)) continue;
      const bool is_over = log.is_closed_ && !log.is_held();
      if (!is_over && log.kept_.empty()) continue;
      DropAll(log);
      if (is_over) logs_.erase(place);
      return true;
    }
  }
  StreamLog* unrelated = Find(0);
  StreamLog& last = unrelated != nullptr && unrelated->MayDrop() ? *unrelated : newest;
  if (!last.MayDrop() || (&last == &newest && last.kept_.size() == 1)) return false;
  DropOldest(last);
  return true;
}

void EventStore::DropOldest(StreamLog& log) {
  const std::size_t size = log.kept_.front().bytes().size();
  log.kept_.pop_front();
  ++log.first_;
  log.bytes_ -= size;
  bytes_ -= size;
  --events_;
}

void EventStore::DropAll(StreamLog& log) {
  while (!log.kept_.empty()) DropOldest(log);
}

void EventStore::DropLong(StreamLog& log, absl::Duration now) {
  if (log.kept_.empty() || log.kept_.back().bytes().size() <= limits_.stream_bytes) return;
  if (log.long_n_ != log.last()) {
    log.long_n_ = log.last();
    log.long_until_ = now + limits_.kept_when_long;
  }
  const bool is_awaited = log.reader_ != nullptr && log.reader_->n() < log.last();
  if (now >= log.long_until_ && !is_awaited) DropAll(log);
}

void EventStore::Sweep(absl::Duration now) {
  for (auto place = logs_.begin(); place != logs_.end();) {
    StreamLog& log = place->second;
    DropLong(log, now);
    const bool is_done = log.is_closed_ && (log.is_delivered_ || log.kept_.empty());
    if (is_done && log.forget_at_ == absl::InfiniteDuration()) {
      log.forget_at_ = now + limits_.kept_when_delivered;
    }
    if (now < log.forget_at_ || log.is_held()) {
      ++place;
      continue;
    }
    DropAll(log);
    place = logs_.erase(place);
  }
}

}  // namespace sallyport::agent
