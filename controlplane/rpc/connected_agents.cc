#include "controlplane/rpc/connected_agents.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kRemembered = 8;
constexpr absl::Duration kTellAgain = absl::Hours(1);

}  // namespace

ConnectedAgents::Stream::Stream(ConnectedAgents& agents, std::string name, Process process,
                                absl::Time now)
    : agents_(agents), name_(std::move(name)) {
  const absl::MutexLock lock(&agents_.mutex_);
  number_ = agents_.next_++;
  agents_.latest_[name_] = {.number = number_};
  if (!process.instance.empty())
    other_ = agents_.NoteProcess(agents_.processes_[name_], std::move(process), now);
}

ConnectedAgents::Stream::~Stream() {
  const absl::MutexLock lock(&agents_.mutex_);
  const auto latest = agents_.latest_.find(name_);
  if (latest != agents_.latest_.end() && latest->second.number == number_)
    agents_.latest_.erase(latest);
}

bool ConnectedAgents::Stream::is_superseded() const {
  const absl::MutexLock lock(&agents_.mutex_);
  const auto latest = agents_.latest_.find(name_);
  return latest == agents_.latest_.end() || latest->second.number != number_;
}

uint64_t ConnectedAgents::Stream::beat() const {
  const absl::MutexLock lock(&agents_.mutex_);
  const auto latest = agents_.latest_.find(name_);
  return latest == agents_.latest_.end() || latest->second.number != number_ ? 0
                                                                             : latest->second.beat;
}

void ConnectedAgents::NoteBeat(std::string_view name, uint64_t beat) {
  const absl::MutexLock lock(&mutex_);
  const auto latest = latest_.find(name);
  if (latest != latest_.end()) latest->second.beat = std::max(latest->second.beat, beat);
}

bool ConnectedAgents::NoteNotUnderstood(std::string_view name, std::string_view what) {
  const absl::MutexLock lock(&mutex_);
  const auto latest = latest_.find(name);
  if (latest == latest_.end() || latest->second.not_understood == what) return false;
  latest->second.not_understood = what;
  return true;
}

std::string ConnectedAgents::NotUnderstood(std::string_view name) const {
  const absl::MutexLock lock(&mutex_);
  const auto latest = latest_.find(name);
  return latest == latest_.end() ? std::string() : latest->second.not_understood;
}

std::optional<ConnectedAgents::Process> ConnectedAgents::NoteProcess(Processes& known,
                                                                     Process process,
                                                                     absl::Time now) {
  auto& had = known.had_stream;
  const auto same = std::ranges::find(had, process.instance, &Process::instance);
  std::optional<Process> other;
  if (same != had.end() && std::next(same) != had.end()) {
    known.copy_seen_at = now;
    if (now - known.told_at >= kTellAgain) {
      known.told_at = now;
      other = had.back();
    }
  }
  if (same != had.end()) had.erase(same);
  had.push_back(std::move(process));
  if (had.size() > kRemembered) had.pop_front();
  return other;
}

absl::Time ConnectedAgents::CopySeenAt(std::string_view name) const {
  const absl::MutexLock lock(&mutex_);
  const auto known = processes_.find(name);
  return known == processes_.end() ? absl::InfinitePast() : known->second.copy_seen_at;
}

bool ConnectedAgents::Has(std::string_view name) const {
  const absl::MutexLock lock(&mutex_);
  return latest_.contains(name);
}

std::size_t ConnectedAgents::size() const {
  const absl::MutexLock lock(&mutex_);
  return latest_.size();
}

}  // namespace sallyport::controlplane
