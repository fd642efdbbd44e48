#include "controlplane/rpc/seats.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sallyport::controlplane {
namespace {

// More than so many are no answer to the question who it was.
constexpr std::size_t kMostNames = 4;

}  // namespace

Seats::Seats(std::size_t count, absl::Duration stay) : stay_(stay), seats_(count) {}

std::size_t Seats::Take(const std::string& address, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  std::size_t best = 0;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    std::erase_if(seats_[i], [&](const auto& entry) { return entry.second < now; });
    if (seats_[i].contains(address)) {
      best = i;
      break;
    }
    if (seats_[i].size() < seats_[best].size()) best = i;
  }
  seats_[best][address] = now + stay_;
  return best;
}

std::string Seats::AddressAt(std::size_t seat, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  std::string names;
  std::size_t count = 0;
  for (const auto& [address, until] : seats_[seat]) {
    if (until < now) continue;
    if (++count > kMostNames) return {};
    absl::StrAppend(&names, names.empty() ? "" : " or ", address);
  }
  return names;
}

}  // namespace sallyport::controlplane
