#include "controlplane/rpc/connected_agents.h"

#include <utility>

namespace sallyport::controlplane {

ConnectedAgents::Stream::Stream(ConnectedAgents& agents, std::string name)
    : agents_(agents), name_(std::move(name)) {
  const absl::MutexLock lock(&agents_.mutex_);
  number_ = agents_.next_++;
  agents_.latest_[name_] = number_;
}

ConnectedAgents::Stream::~Stream() {
  const absl::MutexLock lock(&agents_.mutex_);
  const auto latest = agents_.latest_.find(name_);
  if (latest != agents_.latest_.end() && latest->second == number_) agents_.latest_.erase(latest);
}

bool ConnectedAgents::Stream::is_superseded() const {
  const absl::MutexLock lock(&agents_.mutex_);
  const auto latest = agents_.latest_.find(name_);
  return latest == agents_.latest_.end() || latest->second != number_;
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
