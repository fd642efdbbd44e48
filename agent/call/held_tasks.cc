#include "agent/call/held_tasks.h"

#include <algorithm>
#include <utility>

#include "agent/call/held_task.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxTasks = 64;
constexpr std::size_t kMaxResultBytes = std::size_t{32} << 20;

}  // namespace

HeldTasks::HeldTasks() = default;
HeldTasks::~HeldTasks() = default;

bool HeldTasks::HasRoom() const {
  return std::ranges::count_if(tasks_, [](const auto& task) { return !task->state().is_over(); }) <
         static_cast<std::ptrdiff_t>(kMaxTasks);
}

HeldTask& HeldTasks::Add(std::unique_ptr<HeldTask> task) {
  tasks_.push_back(std::move(task));
  return *tasks_.back();
}

HeldTask* HeldTasks::Find(std::string_view id) const {
  const auto place =
      std::ranges::find_if(tasks_, [&](const auto& task) { return task->state().id == id; });
  return place == tasks_.end() ? nullptr : place->get();
}

bool HeldTasks::has_unsettled() const {
  return std::ranges::any_of(tasks_, [](const auto& task) { return !task->is_settled(); });
}

void HeldTasks::Sweep(absl::Time now) {
  std::size_t over = 0;
  std::size_t bytes = 0;
  for (const auto& task : tasks_) {
    if (task->is_done()) ++over;
    bytes += task->state().body.size();
  }
  std::erase_if(tasks_, [&](const auto& task) {
    const TaskState& state = task->state();
    if (!task->is_done()) return false;
    const bool is_due = now >= state.created_at + state.ttl;
    // The newest result is kept, however large it is.
    const bool is_too_much = task != tasks_.back() && (over > kMaxTasks || bytes > kMaxResultBytes);
    if (!is_due && !is_too_much) return false;
    --over;
    bytes -= state.body.size();
    return true;
  });
}

HeldTasks::Listener::Listener(HeldTasks& tasks, Signal& changed)
    : tasks_(tasks), changed_(changed) {
  tasks_.listeners_.push_back(&changed_);
}

HeldTasks::Listener::~Listener() { std::erase(tasks_.listeners_, &changed_); }

void HeldTasks::Changed() {
  for (Signal* listener : listeners_) listener->Set();
}

}  // namespace sallyport::agent
