#include "controlplane/housekeeping.h"

#include <utility>

#include "common/log.h"

namespace sallyport::controlplane {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);

}  // namespace

Housekeeping::Housekeeping(std::vector<Chore> chores)
    : chores_(std::move(chores)), thread_([this] { Run(); }) {}

Housekeeping::~Housekeeping() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Housekeeping::Run() {
  do {
    for (const Chore& chore : chores_) {
      if (const absl::Status status = chore.run(); !status.ok()) {
        LogError("chore_failed", {{"chore", chore.name}, {"error", status}});
      }
    }
  } while (Pause());
}

bool Housekeeping::Pause() {
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kInterval);
  return !stopping_;
}

}  // namespace sallyport::controlplane
