#include "agent/upstream/spawner.h"

#include <openssl/crypto.h>

#include <optional>
#include <utility>

#include "agent/loop/signal.h"

namespace sallyport::agent {

struct Spawner::Job {
  Job(Loop& loop, SpawnPlan what) : plan(std::move(what)), done(loop) {}
  ~Job() { Wipe(); }
  void Wipe() {
    for (std::string& variable : plan.env) OPENSSL_cleanse(variable.data(), variable.size());
    plan.env.clear();
  }

  SpawnPlan plan;
  std::optional<absl::StatusOr<SpawnedChild>> result;
  Signal done;
};

Spawner::Spawner(Loop& loop) : loop_(loop), thread_([this] { Run(); }) {}

Spawner::~Spawner() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Task<absl::StatusOr<SpawnedChild>> Spawner::Spawn(SpawnPlan plan) {
  auto job = std::make_shared<Job>(loop_, std::move(plan));
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  wake_.notify_one();
  co_await job->done.Wait();
  co_return *std::move(job->result);
}

void Spawner::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    std::shared_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job->result = SpawnChild(job->plan);
    job->Wipe();
    loop_.Post([job = std::move(job)] { job->done.Set(); });
    lock.lock();
  }
}

}  // namespace sallyport::agent
