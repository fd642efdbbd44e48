#include "controlplane/store/refusal_counts.h"

#include <cstddef>
#include <utility>

namespace sallyport::controlplane {
namespace {

constexpr int kLinesPerMinute = 10;
constexpr absl::Duration kWindow = absl::Minutes(1);
// What comes from more than these counts as one source.
constexpr std::size_t kMaxSources = 1024;

// Also where the clock was set back.
bool IsOver(absl::Time since, absl::Time now) {
  return now - since >= kWindow || now < since - kWindow;
}

}  // namespace

RefusalCounts::Source& RefusalCounts::SourceOf(const std::string& actor, const std::string& address,
                                               absl::Time now) {
  const bool is_known = !actor.empty() && actor != "anonymous";
  std::string key = is_known ? actor : address;
  if (sources_.size() >= kMaxSources && !sources_.contains(key)) key.clear();
  const auto [found, is_new] = sources_.try_emplace(key);
  Source& source = found->second;
  if (is_new) {
    source.since = now;
    if (!key.empty()) source.left_out.actor = actor;
  }
  source.left_out.address = address;
  return source;
}

bool RefusalCounts::Admit(const Refused& refused, bool has_room) {
  const absl::MutexLock lock(&mutex_);
  Source& source = SourceOf(refused.actor, refused.address, refused.at);
  // What was left out of the minute before is still to be told, and goes on.
  if (IsOver(source.since, refused.at) && source.left_out.actions.empty()) {
    source.since = refused.at;
    source.lines = 0;
  }
  if (has_room && source.lines < kLinesPerMinute) {
    ++source.lines;
    return true;
  }
  ++source.left_out.actions[refused.action];
  source.left_out.reason = refused.reason;
  return false;
}

std::vector<RefusalCounts::Summary> RefusalCounts::TakeDue(absl::Time now) {
  std::vector<Summary> due;
  const absl::MutexLock lock(&mutex_);
  for (auto at = sources_.begin(); at != sources_.end();) {
    if (!IsOver(at->second.since, now)) {
      ++at;
      continue;
    }
    if (!at->second.left_out.actions.empty()) due.push_back(std::move(at->second.left_out));
    at = sources_.erase(at);
  }
  return due;
}

void RefusalCounts::GiveBack(const std::vector<Summary>& summaries, absl::Time now) {
  const absl::MutexLock lock(&mutex_);
  for (const Summary& summary : summaries) {
    Source& source = SourceOf(summary.actor, summary.address, now);
    source.left_out.reason = summary.reason;
    for (const auto& [action, count] : summary.actions) source.left_out.actions[action] += count;
  }
}

}  // namespace sallyport::controlplane
