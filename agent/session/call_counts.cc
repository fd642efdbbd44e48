#include "agent/session/call_counts.h"

#include <algorithm>

namespace sallyport::agent {

absl::Duration CallCounts::FreeAt(const CallLimit& limit, absl::Duration now) const {
  if (limit.concurrent != 0) {
    if (in_flight_ >= limit.concurrent) return absl::InfiniteDuration();
    // So many of the abandoned may be left over.
    const std::size_t may_be = limit.concurrent - in_flight_ - 1;
    return abandoned_.size() <= may_be ? now : abandoned_[abandoned_.size() - 1 - may_be];
  }
  if (begun_.size() < limit.calls) return now;
  if (limit.calls == 0) return absl::InfiniteDuration();
  return begun_[begun_.size() - limit.calls] + limit.within;
}

void CallCounts::Begin(absl::Duration now, absl::Span<const CallLimit> limits) {
  ++in_flight_;
  for (const CallLimit& limit : limits) Reach(limit);
  Note(now);
}

void CallCounts::TakeUp(absl::Duration begun, const CallLimit& limit) {
  Reach(limit);
  Note(begun_.empty() ? begun : std::max(begun, begun_.back()));
}

void CallCounts::Reach(const CallLimit& limit) {
  within_ = std::max(within_, limit.within);
  calls_ = std::max(calls_, limit.calls);
}

void CallCounts::Note(absl::Duration now) {
  while (!begun_.empty() && (begun_.front() + within_ <= now || begun_.size() >= calls_)) {
    begun_.pop_front();
  }
  if (calls_ > 0) begun_.push_back(now);
}

void CallCounts::Abandon(absl::Duration now, absl::Duration until) {
  --in_flight_;
  while (!abandoned_.empty() && abandoned_.front() <= now) abandoned_.pop_front();
  abandoned_.insert(std::upper_bound(abandoned_.begin(), abandoned_.end(), until), until);
}

void CallCounts::TakeBack(absl::Duration began) {
  --in_flight_;
  const auto place = std::find(begun_.rbegin(), begun_.rend(), began);
  if (place != begun_.rend()) begun_.erase(std::next(place).base());
}

bool CallCounts::IsForgotten(absl::Duration now, absl::Duration longest_within) const {
  return in_flight_ == 0 && (abandoned_.empty() || abandoned_.back() <= now) &&
         (begun_.empty() || begun_.back() + longest_within <= now);
}

}  // namespace sallyport::agent
